/* The whole core as one translation unit, so that every build system lists one file and the compiler sees everything. Statics
 * therefore carry the noun of their file. Order: base, then the layers of docs/design.md. */
#define _GNU_SOURCE
