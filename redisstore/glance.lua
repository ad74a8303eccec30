-- Where nothing has lapsed and nothing was lost, looking needs none of the rules.
if version and floor <= version and now <= next_lapse then
  return { now, partial and -version or version, next_lapse - now, have ~= version and call('HGETALL', key) }
end
