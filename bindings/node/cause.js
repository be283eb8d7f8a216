'use strict';
// Finds the cause of a failed build in the output of node-gyp and the compiler, and names the
// packages to install (Debian names, with those of Fedora and Alpine where they differ).

const TOOLS = {
  python3: ['Python 3 is missing', 'python3'],
  make: ['make is missing', 'make'],
  compiler: ['a C and C++ compiler is missing', 'g++ (Fedora gcc-c++)'],
  'pkg-config': ['pkg-config is missing', 'pkg-config (Fedora and Alpine pkgconf)'],
};

/** Development packages by their pkg-config name. */
const LIBRARIES = {
  libcurl: 'libcurl4-openssl-dev (Fedora libcurl-devel, Alpine curl-dev)',
  'libprotobuf-c': 'libprotobuf-c-dev (Fedora protobuf-c-devel, Alpine protobuf-c-dev)',
  zlib: 'zlib1g-dev (Fedora zlib-devel, Alpine zlib-dev)',
  libmicrohttpd: 'libmicrohttpd-dev (Fedora libmicrohttpd-devel)',
};
const HEADERS = {
  curl: 'libcurl',
  'protobuf-c': 'libprotobuf-c',
  zlib: 'zlib',
  microhttpd: 'libmicrohttpd',
};
const NODE_HEADERS =
  'give npm_config_nodedir a folder whose include/node holds the headers of this Node, or let ' +
  "node-gyp reach Node's download server";

function first(output, pattern) {
  const found = pattern.exec(output);
  return found === null ? null : found[1];
}

function tool(name) {
  const [cause, packages] = TOOLS[name];
  return { cause, remedy: `install ${packages}` };
}

function missingTool(output) {
  if (/find Python.*(not (found|set)|could not|is not)|Could not find any Python/i.test(output))
    return tool('python3');
  if (/not found: make|spawn make ENOENT/.test(output)) return tool('make');
  if (/pkg-config: (command )?not found|pkg-config.*(exit status 127|No such file)/i.test(output))
    return tool('pkg-config');
  if (/\b(cc|gcc|g\+\+|c\+\+|clang(\+\+)?): (command )?(not found|No such file)/.test(output))
    return tool('compiler');
  return null;
}

function missingLibrary(output) {
  const names = new Set(
    Array.from(
      output.matchAll(/(?:No package '|Package '?)([\w.-]+)'?(?:' found|,? (?:was )?not found)/g),
      (m) => m[1],
    ),
  );
  const header = first(
    output,
    /fatal error: ['"]?([\w./-]+\.h)['"]?(?:: No such file| file not found)/,
  );
  if (header !== null && /^(node|js_native|node_api)/.test(header))
    return { cause: `the headers of Node are missing (${header})`, remedy: NODE_HEADERS };
  const owner = header === null ? undefined : HEADERS[header.split(/[/.]/)[0]];
  if (owner !== undefined) names.add(owner);
  const known = [...names].filter((name) => LIBRARIES[name] !== undefined);
  if (known.length > 0) {
    const cause = `the development files of ${known.join(', ')} are missing`;
    return { cause, remedy: `install ${known.map((name) => LIBRARIES[name]).join(', ')}` };
  }
  if (header === null) return null;
  const libc = /^(std|sys|string|pthread|errno|signal|unistd|limits|time)/.test(header);
  return {
    cause: `the header ${header} is missing`,
    remedy: libc ? 'install libc6-dev (Fedora glibc-devel, Alpine musl-dev)' : '',
  };
}

function surroundings(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|network|getaddrinfo/.test(output))
    return {
      cause: 'the headers of Node are not here and could not be fetched',
      remedy: NODE_HEADERS,
    };
  if (/ENOSPC|No space left/.test(output))
    return { cause: 'the disk is full', remedy: 'make room' };
  if (/EACCES|EROFS|EPERM|Permission denied|Read-only file system/.test(output))
    return {
      cause: 'the folder of the package cannot be written',
      remedy: 'install as the owner of the folder',
    };
  if (/Killed|out of memory|Cannot allocate memory/.test(output))
    return { cause: 'the compiler ran out of memory', remedy: 'give it 1 GB' };
  return null;
}

/** Returns the first line that looks like an error. */
function firstError(output) {
  const lines = output.split('\n').filter((line) => line.trim());
  const wrong = lines.find((line) =>
    /(^|\s)(fatal )?error:|not found|ERR! stack Error/i.test(line),
  );
  return (wrong || lines[lines.length - 1] || 'no output')
    .replace(/^gyp ERR! (stack )?/, '')
    .trim();
}

/** Returns { cause, remedy }; the remedy is '' if it is unknown. */
function causeOf(output) {
  return (
    missingTool(output) ||
    missingLibrary(output) ||
    surroundings(output) || { cause: firstError(output), remedy: '' }
  );
}

module.exports = { causeOf, LIBRARIES, TOOLS };
