/* The overrides file, written by operators. It is only read, about once a second and only after a
 * change; a malformed file changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "control/overrides.h"

#define OVERRIDES_FILE__LOOK_NS 1000000000ull
#define OVERRIDES_FILE__FRESH_NS 3000000000ull

/* One line without comment and blanks. */
static int
overrides_file_parse_line(djp__override *out, djp_text line)
{
    if (djp__text_equal_nocase(line, "on") || djp__text_equal_nocase(line, "off")) {
        out->enabled = line.size == 2;
        return 1;
    }
    djp_text key;
    double *ratio = NULL;
    if (djp__text_split(&key, &line, '=')) {
        key = djp__text_trim(key);
        ratio = djp__text_equal_nocase(key, "ratio") ? &out->ratio : ratio;
        ratio = djp__text_equal_nocase(key, "canary") ? &out->canary : ratio;
    }
    return ratio && djp__parse_double(djp__text_trim(line), ratio) && *ratio >= 0 && *ratio <= 1;
}

int
djp__overrides_parse(djp__override *out, int *line, const char *text, size_t size)
{
    djp_text rest = {text, size}, part;
    *out = (djp__override){-1, DJP__RATIO_UNSET, DJP__RATIO_UNSET};
    *line = 0;
    while (djp__text_split(&part, &rest, '\n')) {
        ++*line;
        const char *comment = part.size > 0 ? memchr(part.data, '#', part.size) : NULL;
        part.size = comment != NULL ? (size_t)(comment - part.data) : part.size;
        part.size -= part.size > 0 && part.data[part.size - 1] == '\r';
        part = djp__text_trim(part);
        if (part.size > 0 && !overrides_file_parse_line(out, part)) {
            return 0;
        }
    }
    return 1;
}

/* Reads the whole file; below 0: unreadable. Does not block for any path. */
static ssize_t
overrides_file_read(char *out, const char *path)
{
    struct stat found;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = -1, size = 0;
    if (file < 0) {
        return -1;
    }
    if (fstat(file, &found) == 0 && S_ISREG(found.st_mode)) {
        while ((got = read(file, out + size, (size_t)(DJP__OVERRIDES_FILE_MAX + 1 - size))) > 0) {
            size += got;
        }
    }
    close(file);
    return got == 0 ? size : -1;
}

static void
overrides_file_take(djp__overrides *it)
{
    const char *path = it->host->options->overrides_file;
    char text[DJP__OVERRIDES_FILE_MAX + 1];
    djp__override file;
    int line = 0;
    ssize_t size = overrides_file_read(text, path);
    if (it->looked && size == it->size && (size < 0 || memcmp(text, it->text, (size_t)size) == 0)) {
        return;
    }
    it->size = size;
    memcpy(it->text, text, size > 0 ? (size_t)size : 0);
    if (size < 0) {
        djp__diag(it->host->diag, DJP_LOG_WARN,
                  "The overrides file %s cannot be read; the previous overrides stay in force. "
                  "Make it a regular file "
                  "that this "
                  "process may read.",
                  path);
    } else if (size > DJP__OVERRIDES_FILE_MAX ||
               !djp__overrides_parse(&file, &line, text, (size_t)size)) {
        djp__diag(it->host->diag, DJP_LOG_WARN,
                  "Line %d of the overrides file %s is not understood; the previous overrides stay "
                  "in force. A line is `on`, "
                  "`off`, `ratio=` or `canary=` with a number from 0 to 1, or a comment after #; 4 "
                  "KiB at most.",
                  line, path);
    } else {
        djp__overrides_set_file(it, &file, DJP_LOG_INFO);
    }
}

static int
overrides_file_differs(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
           a->st_mode != b->st_mode || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
           a->st_mtim.tv_nsec != b->st_mtim.tv_nsec || a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
           a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* A file written just now may change again with the same modification time. */
static int
overrides_file_is_fresh(const struct stat *file)
{
    uint64_t changed = (uint64_t)file->st_mtim.tv_sec * 1000000000u;
    return djp__clock_realtime() < changed + OVERRIDES_FILE__FRESH_NS;
}

static void
overrides_file_look_now(djp__overrides *it)
{
    static const djp__override none = {-1, DJP__RATIO_UNSET, DJP__RATIO_UNSET};
    struct stat now;
    int found = stat(it->host->options->overrides_file, &now) == 0;
    if (!found && (errno == ENOENT || errno == ENOTDIR)) {
        if (it->looked) {
            djp__overrides_set_file(it, &none, DJP_LOG_INFO);
        }
        it->looked = 0;
    } else if (!found || !it->looked || overrides_file_differs(&now, &it->seen) ||
               overrides_file_is_fresh(&now)) {
        overrides_file_take(it);
        memset(&it->seen, 0, sizeof it->seen);
        it->seen = found ? now : it->seen;
        it->looked = 1;
    }
}

void
djp__overrides_look(djp__overrides *it, uint64_t now)
{
    if (now >= it->look_next) {
        it->look_next = now + OVERRIDES_FILE__LOOK_NS;
        overrides_file_look_now(it);
    }
}

void
djp__overrides_file_init(djp__overrides *overrides)
{
    const djp__control_host *host = overrides->host;
    const char *path = host->options->overrides_file;
    if (host->recorder && host->exports && path != NULL && *path) {
        overrides->look_next = 0;
        djp__overrides_look(overrides, djp__clock_monotonic());
    }
}
