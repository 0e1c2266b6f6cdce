# Starts Redis with the password from its file. Redis gets the password's hash: that needs no quoting, and neither a list
# of processes nor a file of the pod shows the password.
set -eu
umask 077
password=$(cat /etc/heavylift/redis/password)
if [ -z "$password" ]; then
    echo "The Secret with Redis's password holds an empty one: set redis.auth.existingSecret and redis.auth.existingSecretKey to one that does not." >&2
    exit 1
fi
hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
printf 'user default on #%s ~* &* +@all\n' "$hash" >/run/redis/users.conf
exec "$(command -v redis-server || command -v valkey-server)" /etc/redis/redis.conf
