/** What a site has beside presence: a way to sign in, here without a password. */
import {Router} from 'express';
import {presence} from './presence.js';

export const site = Router();
site.post('/login', (req, res) => {
  req.session.user = {id: 7, name: 'alice'};
  res.sendStatus(204);
});
site.use('/behind-the-login', presence); // where the guide says not to mount it
