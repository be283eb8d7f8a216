/* The process families, read from /proc at each exposition. Without /proc a family has no series
 * rather than a wrong value. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "metrics/registry.h"

enum {
    PROCESS_CPU,
    PROCESS_CPU_USER,
    PROCESS_CPU_SYSTEM,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_START,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_THREADS,
    PROCESS_COUNT
};

static const struct {
    const char *name;
    djp_metric_type type;
    const char *unit;
    const char *help;
} process_families[PROCESS_COUNT] = {
    {"process_cpu_seconds", DJP_COUNTER, "seconds",
     "Processor time used, user and system, in seconds."},
    {"process_cpu_user_seconds", DJP_COUNTER, "seconds",
     "Processor time used in the program, in seconds."},
    {"process_cpu_system_seconds", DJP_COUNTER, "seconds",
     "Processor time used in the kernel, in seconds."},
    {"process_resident_memory_bytes", DJP_GAUGE, "bytes",
     "Memory in use that is resident, in bytes."},
    {"process_virtual_memory_bytes", DJP_GAUGE, "bytes", "Virtual memory size in bytes."},
    {"process_start_time_seconds", DJP_GAUGE, "seconds",
     "Start of the process in seconds since 1970."},
    {"process_open_fds", DJP_GAUGE, "", "Open file descriptors."},
    {"process_max_fds", DJP_GAUGE, "", "Most file descriptors that the process may open."},
    {"process_threads", DJP_GAUGE, "", "Threads of the process."},
};

struct djp__process {
    djp_family *families[PROCESS_COUNT];
    double boot_seconds; /* Unix time of the system's start; 0: unknown */
};

/* Reads a whole small file. Returns its size, or 0. */
static size_t
process_read(char *out, size_t out_size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    size_t size = 0;
    while (size + 1 < out_size) {
        ssize_t got = read(fd, out + size, out_size - 1 - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    close(fd);
    out[size] = '\0';
    return size;
}

/* "btime N" follows lines whose length depends on the machine, so the file is read in pieces. */
static double
process_boot_seconds(void)
{
    char line[512];
    double result = 0;
    FILE *file = fopen("/proc/stat", "re");
    while (file != NULL && fgets(line, sizeof line, file)) {
        if (strncmp(line, "btime ", 6) == 0) {
            result = (double)strtoull(line + 6, NULL, 10);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return result;
}

static void
process_set(djp__process *process, int which, double value)
{
    djp_series *series = djp_family_series(process->families[which], NULL);
    if (process_families[which].type == DJP_COUNTER) {
        djp__counter_set(series, value);
    } else {
        djp_gauge_set(series, value);
    }
}

/* Fields of /proc/self/stat from the third on; the second may contain anything and ends at the last
 * ')'. */
static void
process_stat(djp__process *process)
{
    char text[2048];
    uint64_t fields[64] = {0};
    size_t size = process_read(text, sizeof text, "/proc/self/stat");
    char *at = size ? strrchr(text, ')') : NULL;
    if (at == NULL) {
        return;
    }
    size_t count = 3;
    char *save = NULL;
    for (char *word = strtok_r(at + 1, " \n", &save); word && count < 64;
         word = strtok_r(NULL, " \n", &save)) {
        fields[count++] = strtoull(word, NULL, 10);
    }
    long ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    if (count <= 24 || ticks <= 0 || page <= 0) {
        return;
    }
    process_set(process, PROCESS_CPU, (double)(fields[14] + fields[15]) / (double)ticks);
    process_set(process, PROCESS_CPU_USER, (double)fields[14] / (double)ticks);
    process_set(process, PROCESS_CPU_SYSTEM, (double)fields[15] / (double)ticks);
    process_set(process, PROCESS_THREADS, (double)fields[20]);
    process_set(process, PROCESS_VIRTUAL, (double)fields[23]);
    process_set(process, PROCESS_RESIDENT, (double)fields[24] * (double)page);
    if (process->boot_seconds > 0) {
        process_set(process, PROCESS_START,
                    process->boot_seconds + (double)fields[22] / (double)ticks);
    }
}

static void
process_fds(djp__process *process)
{
    struct rlimit limit;
    DIR *directory = opendir("/proc/self/fd");
    if (directory != NULL) {
        size_t count = 0;
        for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
            count += entry->d_name[0] != '.';
        }
        closedir(directory);
        /* without that of the directory */
        process_set(process, PROCESS_OPEN_FDS, count > 0 ? (double)(count - 1) : 0);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        process_set(process, PROCESS_MAX_FDS,
                    limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur);
    }
}

static void
process_collect(void *user)
{
    process_stat(user);
    process_fds(user);
}

int
djp_registry_add_process(djp_registry *registry)
{
    if (registry == NULL) {
        return DJP_EINVAL;
    }
    if (registry->process != NULL) {
        return 0;
    }
    djp__process *process = djp__calloc(1, sizeof *process);
    if (process == NULL) {
        return DJP_ENOMEM;
    }
    int result = 0;
    for (size_t i = 0; i < PROCESS_COUNT && result == 0; i++) {
        djp_family_options options = {
            .type = process_families[i].type,
            .name = process_families[i].name,
            .help = process_families[i].help,
            .unit = process_families[i].unit,
            .per_process = 1,
        };
        result = djp_family_new(&process->families[i], registry, &options);
    }
    process->boot_seconds = process_boot_seconds();
    if (result == 0) {
        result = djp__registry_on_collect(registry, process_collect, process);
    }
    if (result < 0) {
        djp__process_free(process);
        return result;
    }
    registry->process = process;
    return 0;
}

void
djp__process_free(djp__process *process)
{
    djp__free(process);
}
