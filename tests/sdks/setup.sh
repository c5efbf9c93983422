#!/bin/sh
# Set up one virtual environment per line of SDKs, from exact versions with hashes. Twice = once.
# usage: tests/sdks/setup.sh [python]      (default: $PYTHON, else python3)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${1:-${PYTHON:-python3}}
for name in anthropic1 anthropic2 sdks; do
    venv="$root/.venvs/$name"
    lock="$here/$name.txt"
    # The stamp is the lock itself: an environment made from another lock is made anew.
    if cmp -s "$lock" "$venv/lock.txt"; then
        continue
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock"
    cp "$lock" "$venv/lock.txt"
    echo "set up .venvs/$name"
done
