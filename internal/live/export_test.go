package live

// CloseTimeout is how long a connection stays open after its close frame.
const CloseTimeout = closeTimeout

// Groups is the number of groups whose access is checked one after the other.
const Groups = groups
