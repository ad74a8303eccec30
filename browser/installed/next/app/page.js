import {Project} from './project.js';

export default async function Page({searchParams}) {
  const {project, token} = await searchParams;
  return <Project project={project} token={token} />;
}
