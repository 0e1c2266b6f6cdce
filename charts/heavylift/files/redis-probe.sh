# Asks Redis for a PING. With the argument `ready` an answer of LOADING is not enough. "Disk full" and "wrong password"
# are answers: who connects is told the reason.
set -u
REDISCLI_AUTH=$(cat /etc/heavylift/redis/password)
export REDISCLI_AUTH
cli=$(command -v redis-cli || command -v valkey-cli)
answer=$("$cli" --no-auth-warning -h 127.0.0.1 ping)
case "$1:$answer" in
*: | ready:LOADING*)
    echo "Redis answers '$answer'" >&2
    exit 1
    ;;
esac
