/* The file of a shared segment: who may use it, when it is begun again, and what a full file system
 * does. */
#include "metrics_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics/segment_file.h"
#include "metrics/slot.h"

static char directory[64], path[400];

static int
make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/djp-segment-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static void
find_file(void)
{
    DIR *dir = opendir(directory);
    path[0] = '\0';
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        }
    }
    closedir(dir);
}

static int
remove_directory(void **state)
{
    (void)state;
    for (find_file(); path[0] != '\0'; find_file()) {
        unlink(path);
    }
    return rmdir(directory);
}

static int
try_open(djp__segment *segment)
{
    const char *why;
    return djp__segment_file_open(segment, &why, directory, 1 << 20, 8);
}

static djp__segment
opened(void)
{
    djp__segment segment;
    assert_int_equal(try_open(&segment), 0);
    djp__segment_file_ready(&segment);
    find_file();
    return segment;
}

static void
a_second_opening_finds_the_first(void **state)
{
    (void)state;
    struct stat facts;
    djp__segment first = opened();
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    uint32_t at = djp__segment_alloc(&first, 100);
    memset(djp__segment_at(&first, at), 0x5a, 100);
    djp__segment second = opened();
    assert_int_equal(second.header->seed, first.header->seed);
    assert_int_equal(((char *)djp__segment_at(&second, at))[99], 0x5a);
    assert_int_equal(second.heap_size, first.heap_size);
    assert_int_equal(second.stripes, 9);
    djp__segment_fini(&second);
    djp__segment_fini(&first);
}

static uint64_t
begin_and_close(void)
{
    djp__segment segment = opened();
    uint64_t seed = segment.header->seed;
    djp__segment_fini(&segment);
    return seed;
}

/* Changes one 64-bit field of the file. */
static void
write_at(size_t offset, uint64_t value)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &value, sizeof value, (off_t)offset), (ssize_t)sizeof value);
    close(fd);
}

static void
a_damaged_or_old_file_is_begun_again(void **state)
{
    (void)state;
    const size_t offsets[] = {
        offsetof(djp__segment_header, magic),        offsetof(djp__segment_header, stripes),
        offsetof(djp__segment_header, seed),         offsetof(djp__segment_header, checksum),
        offsetof(djp__segment_header, used_unix_ns), /* no process for a minute */
        offsetof(djp__segment_header, boot), /* the machine has started again */
    };
    uint64_t seed = begin_and_close();
    assert_int_equal(begin_and_close(), seed);
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        write_at(offsets[i], 1);
        uint64_t now = begin_and_close();
        assert_int_not_equal(now, seed);
        seed = now;
    }
    assert_int_equal(truncate(path, 100), 0);
    assert_int_not_equal(begin_and_close(), seed);
}

/* However old: a process that runs keeps it. */
static void
a_file_in_use_is_not_begun_again(void **state)
{
    (void)state;
    djp__segment user = opened();
    assert_int_equal(djp__slot_claim(&user), 0);
    user.header->used_unix_ns = 1;
    djp__segment other = opened();
    assert_int_equal(other.header->seed, user.header->seed);
    djp__segment_fini(&other);
    djp__slot_leave(&user);
    djp__segment_fini(&user);
}

/* Another process that never lets go of the lock delays a start, and does not prevent it. */
static void
a_lock_is_not_waited_for_without_end(void **state)
{
    (void)state;
    djp__segment first = opened(), second;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_not_equal(try_open(&second), 0);
    close(fd);
    assert_int_equal(try_open(&second), 0);
    djp__segment_file_ready(&second);
    djp__segment_fini(&second);
    djp__segment_fini(&first);
}

static void
other_files_are_refused(void **state)
{
    (void)state;
    char target[450];
    djp__segment segment;
    begin_and_close();
    snprintf(target, sizeof target, "%s.target", path);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(try_open(&segment), DJP_EIO);
    assert_null(segment.base);
    unlink(path);
    assert_int_equal(link(target, path), 0);
    assert_int_equal(try_open(&segment), DJP_EIO);
    unlink(path);
    assert_int_equal(rename(target, path), 0);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(try_open(&segment), DJP_EIO);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_open(&segment), DJP_EIO);
    rmdir(path);
}

static void
a_removed_file_is_noticed_and_not_extended(void **state)
{
    (void)state;
    djp__segment segment = opened();
    assert_true(djp__segment_file_is_current(&segment));
    unlink(path);
    assert_false(djp__segment_file_is_current(&segment));
    assert_int_equal(djp__segment_file_commit(&segment, segment.heap_size, 4096), DJP_EFULL);
    djp__segment next = opened();
    assert_false(djp__segment_file_is_current(&segment));
    assert_int_equal(djp__segment_file_commit(&segment, segment.heap_size, 4096), DJP_EFULL);
    assert_int_equal(djp__segment_file_commit(&next, next.heap_size, 4096), 0);
    djp__segment_fini(&next);
    djp__segment_fini(&segment);
}

/* A limit on files would be a signal: the segment is full instead. */
static void
a_limit_of_the_process_fills_the_segment(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {600 << 10, 600 << 10};
        djp__segment segment = opened();
        setrlimit(RLIMIT_FSIZE, &limit);
        uint32_t at = 1, count = 0;
        while (at != 0 && count < 100000) {
            at = djp__segment_alloc(&segment, 1000);
            if (at != 0) {
                memset(djp__segment_at(&segment, at), 1, 1000);
                count++;
            }
        }
        _exit(count > 100 && count < 100000 ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void
a_directory_is_created_but_not_its_parents(void **state)
{
    (void)state;
    char below[80];
    const char *why;
    djp__segment segment;
    snprintf(below, sizeof below, "%s/a/b", directory);
    assert_int_equal(djp__segment_file_open(&segment, &why, below, 1 << 20, 8), DJP_EIO);
    assert_int_equal(errno, ENOENT);
    assert_non_null(why);
    rmdir(directory);
    djp__segment made = opened();
    assert_int_equal(djp__segment_file_round(1), djp__segment_file_round(1000));
    djp__segment_fini(&made);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(a_second_opening_finds_the_first),
        IN_DIRECTORY(a_damaged_or_old_file_is_begun_again),
        IN_DIRECTORY(a_file_in_use_is_not_begun_again),
        IN_DIRECTORY(a_lock_is_not_waited_for_without_end),
        IN_DIRECTORY(other_files_are_refused),
        IN_DIRECTORY(a_removed_file_is_noticed_and_not_extended),
        IN_DIRECTORY(a_limit_of_the_process_fills_the_segment),
        IN_DIRECTORY(a_directory_is_created_but_not_its_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
