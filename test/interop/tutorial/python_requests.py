# Not named requests.py: Python would import this file instead of the package.
import os

import requests
from requests.auth import HTTPDigestAuth

response = requests.get(
    os.environ["MONGODB_ATLAS_BASE_URL"] + "/api/atlas/v2/",
    auth=HTTPDigestAuth(os.environ["ATLAS_USER"], os.environ["ATLAS_USER_KEY"]),
    headers={"Accept": "application/vnd.atlas.2025-03-12+json"},
)
print(response.text)
