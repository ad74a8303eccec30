-- Where nothing has lapsed and nothing was lost, looking needs none of the rules.
if version and floor <= version and (next_lapse == 0 or now <= next_lapse) then
  local whole = have ~= version
  return { now, version, next_lapse > 0 and next_lapse - now or -1, whole and 1 or 0, whole and redis.call('HGETALL', key) or {} }
end
