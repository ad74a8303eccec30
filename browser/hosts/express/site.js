/** What a site has beside presence: ways to sign in, here without a password, and out. */
import {Router} from 'express';
import {presence} from './presence.js';

export const site = Router();
site.post('/login', (req, res) => {
  req.session.user = {id: 7, name: 'alice'};
  res.sendStatus(204);
});
site.post('/logout', (req, res) => req.session.destroy(() => res.sendStatus(204)));
site.use('/behind-the-login', presence); // where the guide says not to mount it
