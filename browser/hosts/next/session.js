/** Sessions in a signed cookie. */
import {SignJWT, jwtVerify} from 'jose';
import {cookies} from 'next/headers';

const secret = () => new TextEncoder().encode(process.env.SESSION_SECRET);

export const sealed = (user) => new SignJWT({user}).setProtectedHeader({alg: 'HS256'}).setExpirationTime('1d').sign(secret());

/** The user who is signed in, or null. */
export async function currentUser() {
  try {
    return (await jwtVerify((await cookies()).get('session')?.value ?? '', secret())).payload.user;
  } catch {
    return null;
  }
}
