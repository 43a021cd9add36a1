"""One Python client in a process of its own: worker.mjs's tasks, in sequence only."""

import json
import resource
import sys
import time


def create_requests(url, username, password):
    import requests
    from requests.auth import HTTPDigestAuth

    session = requests.Session()
    session.auth = HTTPDigestAuth(username, password)

    def send(method, body=None):
        response = session.request(method, url, data=body, headers=headers_of(body))
        response.json()
        return response.status_code

    return send


def create_httpx(url, username, password):
    import httpx

    client = httpx.Client(auth=httpx.DigestAuth(username, password))

    def send(method, body=None):
        response = client.request(method, url, content=body, headers=headers_of(body))
        response.json()
        return response.status_code

    return send


def headers_of(body):
    return {} if body is None else {"Content-Type": "application/json"}


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000


def outcome(call):
    try:
        return call()
    except Exception as error:  # a call that raises is a failed call, as one with a 401 is
        return f"{type(error).__name__}: {error}".split("\n", 1)[0]


def json_text(size):
    return ('{"name":"' + "x" * (size - len('{"name":""}')) + '"}').encode()


def chunks_of(text):
    for start in range(0, len(text), 16384):
        yield text[start : start + 16384]


class Worker:
    def __init__(self, create_client):
        self.create_client = create_client

    def create(self, **options):
        self.send = self.create_client(**options)

    def calls(self, calls, callers):
        failed, first = 0, None
        cpu_before, start = cpu_ms(), time.perf_counter()
        for _ in range(calls):
            status = outcome(lambda: self.send("GET"))
            if status != 200:
                failed += 1
                first = first or status
        ms = (time.perf_counter() - start) * 1000
        result = {"calls": calls, "ms": ms, "cpuMs": cpu_ms() - cpu_before, "failed": failed}
        return result if first is None else {**result, "firstFailure": first}

    def post(self, bytes):
        return {"status": outcome(lambda: self.send("POST", json_text(bytes)))}

    def stream(self, bytes):
        return {"status": outcome(lambda: self.send("POST", chunks_of(json_text(bytes))))}


def main():
    worker = Worker({"requests": create_requests, "httpx": create_httpx}[sys.argv[1]])
    for line in sys.stdin:
        given = json.loads(line)
        try:
            reply = {"result": getattr(worker, given.pop("task"))(**given)}
        except Exception as error:
            reply = {"error": repr(error)}
        print(json.dumps(reply), flush=True)


main()
