package live

// Groups is the number of groups whose access is checked one after the other.
const Groups = groups
