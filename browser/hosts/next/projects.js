import members from './members.json';

export const isMember = async (user, project) => Object.hasOwn(members, project) && members[project].includes(user.name);
export const projectsOf = async (user) => Object.keys(members).filter((project) => members[project].includes(user.name));
