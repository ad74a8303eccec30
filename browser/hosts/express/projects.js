import {readFileSync} from 'node:fs';

const members = JSON.parse(readFileSync(new URL('members.json', import.meta.url), 'utf8'));

export const isMember = async (user, project) => Object.hasOwn(members, project) && members[project].includes(user.name);
export const projectsOf = async (user) => Object.keys(members).filter((project) => members[project].includes(user.name));
