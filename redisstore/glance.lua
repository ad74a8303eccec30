-- Where nothing has lapsed and nothing was lost, looking needs none of the rules.
if version and floor <= version and (next_lapse == 0 or now <= next_lapse) then
  return { now, version, next_lapse > 0 and next_lapse - now or -1, have ~= version and call('HGETALL', key) }
end
