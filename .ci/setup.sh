#!/bin/sh
# What the Makefile needs before there is an environment, in plain sh.
#   setup.sh port PYTHON PORT      fails if the port is busy
#   setup.sh install PYTHON        makes or mends .venv and installs into it
# PYTHON may be empty: then the first one that will do is taken.
set -eu

fail() {
	echo "lineage-lab: $*" >&2
	exit 2
}

# Prints "ok", or why this interpreter will not do. Nothing at all: it does not run.
judge() {
	"$1" -c '
import sys
if sys.version_info < (3, 11):
    print("it is Python %d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, venv
        print("ok")
    except ImportError:
        print("it has no ensurepip (Debian and Ubuntu: apt install python3-venv)")
' 2>/dev/null || true
}

find_python() {
	if [ -n "$1" ]; then
		command -v "$1" >/dev/null 2>&1 || fail "PYTHON=$1 was not found; Python 3.11 or newer is needed"
		verdict=$(judge "$1")
		[ "$verdict" = ok ] || fail "PYTHON=$1 will not do: ${verdict:-it does not run}; Python 3.11 or newer is needed"
		python=$1
		return
	fi
	seen=
	for python in python3.14 python3.13 python3.12 python3.11 python3; do
		command -v "$python" >/dev/null 2>&1 || continue
		verdict=$(judge "$python")
		[ "$verdict" = ok ] && return
		[ -n "$verdict" ] && seen="$seen; $python: $verdict"
	done
	fail "Python 3.11 or newer is needed and was not found${seen}. Install one, or name it: make serve PYTHON=/path/to/python3"
}

check_port() {
	if [ -z "$1" ] && [ -x .venv/bin/python ]; then
		python=.venv/bin/python
	else
		find_python "$1"
	fi
	"$python" - "$2" <<'PY' || exit 2
import errno
import socket
import sys

text = sys.argv[1]
if not text.isdecimal() or not 0 < int(text) < 65536:
    sys.exit(f"lineage-lab: PORT={text} is not a port; take one from 1024 to 65535: make serve PORT=8001")
port = int(text)
with socket.socket() as probe:
    # As the server itself does: a port whose last connection is still closing counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError as error:
        busy = error.errno == errno.EADDRINUSE
        reason = "is busy" if busy else f"cannot be used ({error.strerror})"
        other = 8001 if port == 8000 or port == 65535 else port + 1
        sys.exit(f"lineage-lab: port {port} {reason}; choose another: make serve PORT={other}")
PY
}

install() {
	if [ -x .venv/bin/python ] && [ "$(judge .venv/bin/python)" = ok ] && .venv/bin/python -m pip --version >/dev/null 2>&1; then
		: # Good as it is.
	else
		find_python "$1"
		echo "lineage-lab: making .venv with $("$python" --version)"
		"$python" -m venv --clear .venv || fail "$python could not make .venv"
	fi
	size=
	[ "$(uname -s)" = Linux ] && size=" (about 5 GB on Linux, mostly PyTorch's CUDA libraries; a few minutes the first time)"
	echo "lineage-lab: installing what constraints.txt names into .venv$size"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs,test]' ||
		fail "the install did not finish; what pip says above tells why. Run the same command again to go on"
	touch .venv/.installed
}

case $1 in
port) check_port "$2" "$3" ;;
install) install "$2" ;;
esac
