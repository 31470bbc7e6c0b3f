"""Runs the Python blocks of one page in one namespace. A request is a line of JSON; so is the answer, on descriptor 3."""

import json
import os
import sys
import traceback

answers = os.fdopen(3, "w")
namespace = {"__name__": "__main__"}
for line in sys.stdin:
    request = json.loads(line)
    os.environ.update(request["environment"])
    try:
        exec(compile("\n" * request["line"] + request["text"], request["document"], "exec"), namespace)
        failed = False
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        failed = True
    sys.stdout.flush()
    print(json.dumps({"failed": failed}), file=answers, flush=True)
