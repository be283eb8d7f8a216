// The same module for `import`: one instance of everything, whichever way it is loaded.

import next from './index.js';

export default next;
export const { register, onRequestError } = next;
