-- Shortcut for reads: it answers before the rules are loaded if no session has expired and no data
-- was lost.
if version and floor <= version and now <= next_expiry then
  return { now, partial and -version or version, next_expiry - now, cached_version ~= version and call('HGETALL', key) }
end
