/** Signs in, here without a password. */
import {cookies} from 'next/headers';
import {sealed} from '../../session.js';

export async function POST() {
  (await cookies()).set('session', await sealed({id: 7, name: 'alice'}), {httpOnly: true, secure: true, sameSite: 'lax'});
  return new Response(null, {status: 204});
}
