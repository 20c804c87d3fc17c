#!/usr/bin/env bash
# The whole road on the sample project: bundle, verify, install, and build in a network namespace without an interface.
# Usage: ./demo.sh [PROJECT]      (needs Rust, a C compiler and a Go module proxy; everything goes to a scratch directory)
set -euo pipefail
cd "$(dirname "$0")"
project=$(realpath "${1:-fixtures/projects/web}")

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

say '1. Build goferry and goport'
run cargo build --locked --bin goferry --bin goport
PATH=$PWD/target/debug:$PATH

scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
cd "$scratch"

say '2. On the connected side: a key, and one signed bundle'
run goferry keygen -o demo --no-passphrase
run goferry build "$project" --key demo.key -o demo.goferry --level 3
run goferry inspect demo.goferry --key demo.pub

say '3. On the isolated side: verify and install'
run goport verify demo.goferry --key demo.pub
run goport install demo.goferry --key demo.pub --prefix "$scratch/there"

say '4. Build the project there, without a network'
home=$scratch/home
mkdir "$home"
cp -r "$project" "$home/project"
# An ordinary user where this is root, else a user namespace of one's own; both without any network interface.
if [ "$(id -u)" = 0 ]; then
    chown -R 65534:65534 "$home"
    isolated=(unshare --net setpriv --reuid=65534 --regid=65534 --clear-groups)
else
    isolated=(unshare --map-root-user --net)
fi
if ! "${isolated[@]}" true 2>/dev/null; then
    echo 'This host does not allow network namespaces, so nothing was built here without a network.'
    echo 'Bundle, verification and installation above are real; try the last step on another machine.'
    exit 0
fi
run "${isolated[@]}" env -i PATH="$scratch/there/current/bin:/usr/bin:/bin" HOME="$home" bash -euc '
    cd ~/project
    echo "network interfaces besides loopback: $(grep : /proc/net/dev | grep -vc "^ *lo:")"
    go version
    go build ./... && go vet ./... && go test ./... && go mod verify'
say 'Done: it was built with no network, from one verified file.'
