/* Whether a step gives back the memory that it takes: it is repeated, and the memory in use must
 * not grow with it. Sees a leak without a sanitizer; under one the sanitizer looks. */
#ifndef TESTS_C_MEMORY_GROWTH_H
#define TESTS_C_MEMORY_GROWTH_H

/* Calls step so many times after a few to warm up; fails the test if each call leaves some memory.
 * The step runs in the thread of the caller while no other thread allocates. */
void assert_no_growth(void (*step)(void *user), void *user, int calls);

#endif
