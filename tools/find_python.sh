# Print a Python that can run Crucible: the one of .venv, else the first 3.11+ that can make a .venv.
# A name on PATH proves nothing (version managers put stand-ins there), so each candidate is asked.
fits='import sys; sys.exit(sys.version_info < (3, 11))'

# pip comes last into a new .venv: without it the .venv is half made and bootstrap.py starts it anew.
if [ -x .venv/bin/pip ] && .venv/bin/python -S -c "$fits" 2>/dev/null; then
    echo .venv/bin/python
    exit
fi
for python in python3.13 python3.12 python3.11 python3 python; do
    "$python" -c "$fits" 2>/dev/null || continue
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        exit
    fi
    incomplete=$("$python" -c 'import sys; print("{0}.{1}".format(*sys.version_info))')
done
if [ -n "$incomplete" ]; then
    echo "Python $incomplete is here without its venv part. On Debian or Ubuntu: apt-get install python$incomplete-venv" >&2
else
    echo "Crucible needs Python 3.11 or newer, and none is on PATH. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2
fi
exit 1
