"""A sign-in link for the server that runs here: `make link`. For the one of `make scale` when it runs, else that of
`make run`."""

import os
import sys

from tools.scale_env import running


def main() -> None:
    scaled = running()
    port = ["--port", scaled["CRUCIBLE_PORT"]] if scaled else []
    os.execve(sys.executable, [sys.executable, "manage.py", "link", *port], os.environ | scaled)


if __name__ == "__main__":
    main()
