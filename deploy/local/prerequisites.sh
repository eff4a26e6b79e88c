#!/bin/sh
# Checks that what cannot come from PyPI is there: prerequisites.sh [python] [java] [maven] [browser] [npm]
# Missing: as root on Debian or Ubuntu it is installed, after saying so; elsewhere the exact command is printed.
set -eu

PYTHON=${PYTHON:-python3}
UPDATED=no

manager() {
    for tool in apt-get dnf pacman zypper apk brew; do
        if command -v "$tool" >/dev/null 2>&1; then echo "$tool"; return; fi
    done
    echo none
}

package() { # what -> this system's package
    case "$(manager):$1" in
        apt-get:python) echo "python3 python3-venv" ;;
        apt-get:java) echo openjdk-17-jre-headless ;;
        dnf:python) echo python3.12 ;;
        dnf:java | zypper:java) echo java-17-openjdk-headless ;;
        pacman:python) echo python ;;
        pacman:java) echo jre-openjdk-headless ;;
        zypper:python) echo python312 ;;
        apk:python) echo python3 ;;
        apk:java) echo openjdk17-jre-headless ;;
        brew:python) echo python@3.12 ;;
        brew:java) echo openjdk@17 ;;
        none:python) echo "Python 3.11 or newer with venv" ;;
        none:java) echo "a Java runtime (JRE) of version 17 or newer" ;;
        none:maven) echo "Apache Maven" ;;
        *:browser) echo chromium ;;
        apt-get:npm | dnf:npm | pacman:npm | apk:npm) echo "nodejs npm" ;;
        zypper:npm) echo "nodejs20 npm20" ;;
        brew:npm) echo node ;;
        none:npm) echo "Node.js 20 or newer with npm" ;;
        *) echo "$1" ;;
    esac
}

command_for() { # what -> the command that installs it here
    packages=$(package "$1")
    sudo=$([ "$(id -u)" = 0 ] || echo "sudo ")
    case "$(manager)" in
        apt-get) echo "${sudo}apt-get install -y $packages" ;;
        dnf) echo "${sudo}dnf install -y $packages" ;;
        pacman) echo "${sudo}pacman -S --needed $packages" ;;
        zypper) echo "${sudo}zypper install -y $packages" ;;
        apk) echo "${sudo}apk add $packages" ;;
        brew) echo "brew install $packages" ;;
        *) echo "this system's package manager: $packages" ;;
    esac
}

obtain() { # what, what is the matter with it, whether it is needed
    command=$(command_for "$1")
    if [ "$(manager)" = apt-get ] && [ "$(id -u)" = 0 ]; then
        echo "$1 $2; running: $command" >&2
        if [ "$UPDATED" = no ]; then apt-get update -qq >/dev/null; UPDATED=yes; fi
        # shellcheck disable=SC2046  # several packages are several words
        if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(package "$1") >/dev/null; then
            echo "$1 could not be installed: see above. Install it yourself, then try again." >&2
            [ "$3" != needed ] || exit 1
        fi
    elif [ "$3" = needed ]; then
        echo "$1 $2. Install it with: $command" >&2
        exit 1
    else
        echo "WARNING: $1 $2, its tests will be SKIPPED. Install it with: $command" >&2
    fi
}

java_version() { # e.g. 17.0.9, or nothing
    java -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p' | head -n 1
}

for what in "$@"; do
    case "$what" in
        python)
            if ! "$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
                obtain python "is missing, older than 3.11 or without venv" needed
            fi ;;
        java)
            if ! command -v java >/dev/null 2>&1; then
                obtain java "is missing" needed
            else
                version=$(java_version)
                major=${version%%[!0-9]*}
                if [ "${major:-0}" -lt 17 ]; then
                    obtain java "is too old (${version:-of unknown version}, 17 or newer is needed)" needed
                fi
            fi ;;
        maven) command -v mvn >/dev/null 2>&1 || obtain maven "is missing" needed ;;
        browser) command -v chromium >/dev/null 2>&1 || obtain browser "is missing" optional ;;
        npm)
            if ! command -v npm >/dev/null 2>&1; then
                obtain npm "is missing" optional
            elif ! node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null; then
                obtain npm "is there, but Node.js is older than 20" optional
            fi ;;
    esac
done
