"""requests with its HTTPDigestAuth: client.mjs's tasks, one call after the other."""

import json
import sys

import requests
from requests.auth import HTTPDigestAuth


def send(method, body=None):
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        response = session.request(method, url, data=body, headers=headers)
        response.json()
        return response.status_code
    except Exception as error:  # a call that raises is a failed call, as one with a 401 is
        return f"throws {type(error).__name__}"


def chunks(text):
    for start in range(0, len(text), 16384):
        yield text[start : start + 16384]


for line in sys.stdin:
    task = json.loads(line)
    result = {}
    if task["task"] == "create":
        session, url = requests.Session(), task["url"]
        session.auth = HTTPDigestAuth(task["username"], task["password"])
    elif task["task"] == "bursts":
        statuses = [send("GET") for _ in range(task["bursts"])]
        result["failed"] = sum(status != 200 for status in statuses)
    elif task["task"] == "send":
        text = ('{"name":"' + "x" * (task["bytes"] - len('{"name":""}')) + '"}').encode()
        result["status"] = send("POST", chunks(text) if task["as"] == "stream" else text)
    print(json.dumps(result), flush=True)
