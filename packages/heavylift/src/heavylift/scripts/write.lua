-- A write of bounded size that a full Redis takes as well: the controllers and workers that would empty it need it.
-- KEYS[1] is the key, of whatever type. ARGV: the command, and what follows the key.
insist_on_master()
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
