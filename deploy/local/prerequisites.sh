#!/bin/sh
# Checks that what cannot come from PyPI is there: prerequisites.sh [python] [java] [maven] [browser]
# Missing: as root on Debian or Ubuntu it is installed, after saying so; elsewhere the exact command is printed.
set -eu

PYTHON=${PYTHON:-python3}
UPDATED=no

manager() {
    for tool in apt-get dnf apk brew; do
        if command -v "$tool" >/dev/null 2>&1; then echo "$tool"; return; fi
    done
    echo none
}

package() { # what -> this system's package
    case "$(manager):$1" in
        apt-get:python) echo "python3 python3-venv" ;;
        apt-get:java) echo openjdk-17-jre-headless ;;
        apt-get:maven) echo maven ;;
        apt-get:browser) echo chromium ;;
        dnf:python) echo python3.12 ;;
        dnf:java) echo java-17-openjdk-headless ;;
        apk:python) echo python3 ;;
        apk:java) echo openjdk17-jre-headless ;;
        brew:python) echo python@3.12 ;;
        brew:java) echo openjdk@17 ;;
        *:browser) echo chromium ;;
        *) echo "$1" ;;
    esac
}

obtain() { # what, whether it is needed
    packages=$(package "$1")
    case "$(manager)" in
        apt-get) command="apt-get install -y $packages" ;;
        dnf) command="dnf install -y $packages" ;;
        apk) command="apk add $packages" ;;
        brew) command="brew install $packages" ;;
        *) command="install $packages with this system's package manager" ;;
    esac
    if [ "$(manager)" = apt-get ] && [ "$(id -u)" = 0 ]; then
        echo "$1 is missing; running: $command" >&2
        if [ "$UPDATED" = no ]; then apt-get update -qq >/dev/null; UPDATED=yes; fi
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    elif [ "$2" = needed ]; then
        echo "$1 is missing. Install it with: $([ "$(manager)" = brew ] || echo 'sudo ')$command" >&2
        exit 1
    else
        echo "WARNING: $1 is missing, its tests will be SKIPPED. Install it with: $command" >&2
    fi
}

java_is_new() {
    command -v java >/dev/null 2>&1 || return 1
    major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ]
}

for what in "$@"; do
    case "$what" in
        python)
            if ! "$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
                obtain python needed
            fi ;;
        java) java_is_new || obtain java needed ;;
        maven) command -v mvn >/dev/null 2>&1 || obtain maven needed ;;
        browser) command -v chromium >/dev/null 2>&1 || obtain browser optional ;;
    esac
done
