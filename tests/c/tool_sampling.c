/* Decides about trace ids for tests in other languages: `tool_sampling IDS OUT RATIO` reads 16
 * bytes of each from IDS and writes a byte of each to OUT: 1 where the head decision for a root
 * with that id is yes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/recorder.h"
#include "sampling/head.h"

enum { SAMPLING_IDS = 4096 };

static FILE *
sampling_open(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

int
main(int argc, char **argv)
{
    static uint8_t ids[SAMPLING_IDS][16], out[SAMPLING_IDS];
    if (argc != 4) {
        fprintf(stderr, "tool_sampling IDS OUT RATIO\n");
        return 2;
    }
    djp__policy policy;
    memset(&policy, 0, sizeof policy);
    policy.threshold = djp__threshold_of(strtod(argv[3], NULL));
    FILE *from = sampling_open(argv[1], "rb"), *to = sampling_open(argv[2], "wb");
    size_t count;
    while ((count = fread(ids, 16, SAMPLING_IDS, from)) > 0) {
        for (size_t i = 0; i < count; i++) {
            djp__head head;
            djp__head_decide_root(&head, &policy, ids[i]);
            out[i] = head.decision.flag;
        }
        if (fwrite(out, 1, count, to) != count) {
            perror(argv[2]);
            return 1;
        }
    }
    fclose(from);
    return fclose(to) == 0 ? 0 : 1;
}
