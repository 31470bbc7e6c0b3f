"""One server of opencode, and a session for each prompt, all at once.

    opencode.py HOME MODEL_URL DATA PROMPT...

HOME is where it is installed, MODEL_URL the instant model, DATA an empty folder. Ends with an error if a session does.
"""

import json
import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A session that takes longer hangs.
SESSION_SECONDS = 300
MODEL = {"providerID": "anthropic", "modelID": "claude-sonnet-4-5"}


def start(home: str, model_url: str, data: Path) -> tuple[subprocess.Popen[str], str]:
    config = {
        "model": "anthropic/claude-sonnet-4-5",
        "autoupdate": False,
        "share": "disabled",
        "permission": {"bash": "allow"},
        "provider": {"anthropic": {"options": {"baseURL": f"{model_url}/v1", "apiKey": "none"}}},
    }
    file = data / "opencode.json"
    file.write_text(json.dumps(config))
    work = data / "work"
    work.mkdir()
    environment = dict(os.environ, HOME=str(data), OPENCODE_CONFIG=str(file), OPENCODE_DISABLE_MODELS_FETCH="1",
                       OPENCODE_DISABLE_AUTOUPDATE="1")
    command = [f"{home}/node_modules/.bin/opencode", "serve", "--port", "0", "--hostname", "127.0.0.1"]
    server = subprocess.Popen(command, cwd=work, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "listening on " in line:
            return server, line.rsplit("listening on ", 1)[1].strip()
    raise SystemExit("opencode ended before it listened")


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=SESSION_SECONDS) as answer:
        return json.load(answer)


def talk(url: str, prompt: str) -> None:
    session = post(f"{url}/session", {})
    post(f"{url}/session/{session['id']}/message", {"model": MODEL, "parts": [{"type": "text", "text": prompt}]})


def main(home: str, model_url: str, data: str, *prompts: str) -> None:
    server, url = start(home, model_url, Path(data))
    try:
        with ThreadPoolExecutor(len(prompts)) as pool:
            list(pool.map(lambda prompt: talk(url, prompt), prompts))
    finally:
        server.kill()
        server.wait()


main(*sys.argv[1:])
