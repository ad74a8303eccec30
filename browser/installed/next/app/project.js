'use client';

import {ConflictWarning, PresenceBadge, PresenceProvider, useOccupants, useSection} from 'writer-presence/react';

function Editor() {
  useSection('manuscript/abstract');
  const users = useOccupants();
  return <p id="online">{users.map(({username}) => username).join() || 'nobody else'}</p>;
}

export function Project({project, token}) {
  return (
    <PresenceProvider project={project} token={token}>
      <PresenceBadge />
      <ConflictWarning />
      <Editor />
    </PresenceProvider>
  );
}
