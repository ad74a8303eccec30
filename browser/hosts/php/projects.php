<?php
function projects_of(array $user): array
{
    $members = json_decode(file_get_contents(__DIR__ . '/members.json'), true);
    return array_keys(array_filter($members, fn (array $names) => in_array($user['name'], $names, true)));
}

function is_member(array $user, string $project): bool
{
    return in_array($project, projects_of($user), true);
}
