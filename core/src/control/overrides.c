/* Switching at run time, by a file or by the program. The file is only ever read, about once a second and only where it changed; what
 * cannot be understood changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "oplog/oplog.h"
#include "pipeline/pipeline.h"
#include "control/remote_tree.h"
#include "control/overrides.h"
#include "trace/recorder_state.h"

#define SWITCH__LOOK_NS 1000000000ull
#define SWITCH__FRESH_NS 3000000000ull

/* ---- what is said, and what of it holds ---- */

typedef struct switch_outcome {
    int enabled;
    double ratio, canary; /* DJP_RATIO_UNSAID: as configured, or as the tree says that a sampling server sent */
    const char *enabled_by, *ratio_by, *canary_by;
} switch_outcome;

static switch_outcome
switch_decide(const djp_switch *state)
{
    const char *aimed = state->aim < 0 ? "configuration" : state->aim_by;
    switch_outcome out = {1, state->aim, DJP_RATIO_UNSAID, "configuration", aimed, "configuration"};
    if (state->remote) {
        out.ratio = state->remote_ratio;
        out.ratio_by = "remote";
    }
    const djp_switch_said *said[2] = {&state->program, &state->file};
    const char *const names[2] = {"program", "switch_file"};
    for (int i = 0; i < 2; i++) {
        if (said[i]->enabled >= 0) {
            out.enabled = said[i]->enabled;
            out.enabled_by = names[i];
        }
        if (said[i]->ratio >= 0) {
            out.ratio = said[i]->ratio;
            out.ratio_by = names[i];
        }
        if (said[i]->canary >= 0) {
            out.canary = said[i]->canary;
            out.canary_by = names[i];
        }
    }
    return out;
}

/* Puts the outcome in force; returns 1 when anything is different from before. The mutex is held. */
static int
switch_apply_locked(djp_sdk *sdk)
{
    djp_switch *state = &sdk->toggle;
    switch_outcome out = switch_decide(state);
    if (!sdk->recorder) {
        return 0;
    }
    if (out.ratio > 0 && !sdk->transport) {
        out.ratio = DJP_RATIO_UNSAID; /* there is nothing that could take a span out of the process */
        out.ratio_by = "configuration";
    }
    djp__recorder_set_canary(sdk->recorder, out.canary);
    int failed = (out.ratio < 0 ? djp__recorder_reset_ratio(sdk->recorder)
                                : djp__recorder_set_ratio(sdk->recorder, out.ratio)) != 0;
    double canary = out.canary < 0 ? sdk->options.canary_ratio : out.canary;
    const djp_policy *policy = djp__recorder_policy(sdk->recorder, 0);
    double ratio = policy->composed ? DJP_RATIO_SAMPLER : out.ratio < 0 ? sdk->options.sample_ratio : out.ratio;
    if (failed) {
        /* What held before still holds; on and off need no memory. */
        ratio = state->ratio;
        canary = state->canary;
        out.ratio_by = state->ratio_by;
        out.canary_by = state->canary_by;
    }
    int mute = !out.enabled || policy->drop_all;
    djp__recorder_switch(sdk->recorder, !out.enabled, mute);
    int changed = out.enabled != state->enabled || ratio != state->ratio || canary != state->canary ||
                  mute != djp_load_relaxed(&state->mute);
    state->enabled = out.enabled;
    state->ratio = ratio;
    state->canary = canary;
    state->enabled_by = out.enabled_by;
    state->ratio_by = out.ratio_by;
    state->canary_by = out.canary_by;
    djp_store_release(&state->mute, mute);
    return changed;
}

/* Puts what was said in force and lets everybody know; level is that of the message. The mutex is held, and given up here. */
static void
switch_finish(djp_sdk *sdk, int level)
{
    djp_switch *state = &sdk->toggle;
    int changed = switch_apply_locked(sdk), enabled = state->enabled;
    double ratio = state->ratio, canary = state->canary;
    const char *by = enabled ? state->ratio_by : state->enabled_by, *canary_by = state->canary_by;
    djp__mutex_unlock(&state->mutex);
    if (!changed) {
        return;
    }
    djp__oplogs_tell(sdk);
    if (djp_load_acquire(&sdk->running)) {
        djp__worker_notify(sdk);
    }
    if (enabled && ratio < 0) {
        djp__diag(&sdk->diag, level, "Spans are recorded, the sampler decides which traces are kept (%s).", by);
    } else if (enabled && canary < 1) {
        djp__diag(&sdk->diag, level, "Spans of %g of the traces are recorded (%s), %g are kept by chance (%s).", canary,
                  canary_by, ratio < canary ? ratio : canary, by);
    } else if (enabled) {
        djp__diag(&sdk->diag, level, "Spans are recorded, %g of the traces are kept by chance (%s).", ratio, by);
    } else {
        djp__diag(&sdk->diag, level, "Spans are not recorded any more, and none leaves the process (%s).", by);
    }
}

double
djp__switch_ratio(djp_sdk *sdk)
{
    djp_switch *state = &sdk->toggle;
    djp__mutex_lock(&state->mutex);
    double ratio = state->ratio < state->canary ? state->ratio : state->canary;
    ratio = djp_load_relaxed(&state->mute) ? 0 : ratio;
    djp__mutex_unlock(&state->mutex);
    return ratio;
}

void
djp__switch_aim(djp_sdk *sdk, double ratio, const char *by)
{
    djp_switch *state = &sdk->toggle;
    djp__mutex_lock(&state->mutex);
    if (ratio == state->aim && (ratio < 0 || by == state->aim_by)) {
        djp__mutex_unlock(&state->mutex);
        return;
    }
    state->aim = ratio;
    state->aim_by = by;
    switch_finish(sdk, DJP_LOG_DEBUG);
}

/* The simple strategy is a ratio; nothing at all is a ratio of 0, unless callers may still want their traces. */
static int
switch_follows_ratio(const djp_sdk *sdk, const djp_strategy *strategy)
{
    return djp__strategy_is_off(strategy) ? !sdk->options.parent_based : strategy->kind == DJP_STRATEGY_PROBABILITY;
}

int
djp__switch_follow(djp_sdk *sdk, const djp_strategy *strategy)
{
    djp_switch *state = &sdk->toggle;
    djp_sampler *tree = NULL;
    int by_ratio = switch_follows_ratio(sdk, strategy), result = 0;
    if (!by_ratio && !(tree = djp__strategy_tree(strategy, sdk->options.parent_based))) {
        return DJP_ENOMEM;
    }
    djp__mutex_lock(&state->mutex);
    if (tree && (result = djp__recorder_set_sampler(sdk->recorder, tree)) != 0) {
        djp__mutex_unlock(&state->mutex);
        return result;
    }
    state->remote = 1;
    state->remote_ratio = tree ? DJP_RATIO_UNSAID : djp__strategy_is_off(strategy) ? 0 : strategy->probability;
    switch_finish(sdk, DJP_LOG_DEBUG);
    if (tree) {
        djp__oplogs_tell(sdk); /* also where it has the name of the one before */
    } else {
        djp__recorder_set_sampler(sdk->recorder, NULL);
    }
    return 0;
}

int
djp_sdk_set_enabled(djp_sdk *sdk, int enabled)
{
    if (!sdk) {
        return DJP_EINVAL;
    }
    djp_switch *state = &sdk->toggle;
    djp__mutex_lock(&state->mutex);
    state->program.enabled = enabled != 0;
    switch_finish(sdk, DJP_LOG_DEBUG);
    djp__mutex_lock(&state->mutex);
    int holds = sdk->recorder && state->enabled == (enabled != 0);
    djp__mutex_unlock(&state->mutex);
    return holds ? 0 : DJP_EUNSUPPORTED;
}

int
djp_sdk_set_sample_ratio(djp_sdk *sdk, double ratio)
{
    if (!sdk || !(ratio <= 1)) {
        return DJP_EINVAL;
    }
    djp_switch *state = &sdk->toggle;
    djp__mutex_lock(&state->mutex);
    state->program.ratio = ratio >= 0 ? ratio : DJP_RATIO_UNSAID;
    switch_finish(sdk, DJP_LOG_DEBUG);
    djp__mutex_lock(&state->mutex);
    int holds =
        ratio >= 0 ? state->ratio == ratio : state->program.ratio < 0 && strcmp(state->ratio_by, "switch_file") != 0;
    djp__mutex_unlock(&state->mutex);
    return sdk->recorder && holds ? 0 : DJP_EUNSUPPORTED;
}

int
djp_sdk_set_canary_ratio(djp_sdk *sdk, double ratio)
{
    if (!sdk || !(ratio <= 1)) {
        return DJP_EINVAL;
    }
    djp_switch *state = &sdk->toggle;
    djp__mutex_lock(&state->mutex);
    state->program.canary = ratio >= 0 ? ratio : DJP_RATIO_UNSAID;
    switch_finish(sdk, DJP_LOG_DEBUG);
    djp__mutex_lock(&state->mutex);
    int holds =
        ratio >= 0 ? state->canary == ratio : state->program.canary < 0 && strcmp(state->canary_by, "switch_file") != 0;
    djp__mutex_unlock(&state->mutex);
    return sdk->recorder && holds ? 0 : DJP_EUNSUPPORTED;
}

/* ---- the file ---- */

/* One line without comment and blanks. */
static int
switch_parse_line(djp_switch_said *out, djp_text line)
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
djp__switch_parse(djp_switch_said *out, int *line, const char *text, size_t size)
{
    djp_text rest = {text, size}, part;
    *out = (djp_switch_said){-1, DJP_RATIO_UNSAID, DJP_RATIO_UNSAID};
    *line = 0;
    while (djp__text_split(&part, &rest, '\n')) {
        ++*line;
        const char *comment = part.size > 0 ? memchr(part.data, '#', part.size) : NULL;
        part.size = comment ? (size_t)(comment - part.data) : part.size;
        part.size -= part.size > 0 && part.data[part.size - 1] == '\r';
        part = djp__text_trim(part);
        if (part.size > 0 && !switch_parse_line(out, part)) {
            return 0;
        }
    }
    return 1;
}

/* Everything that is in the file; below 0: it cannot be read. Never waits, whatever the path names. */
static ssize_t
switch_read(char *out, const char *path)
{
    struct stat found;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = -1, size = 0;
    if (file < 0) {
        return -1;
    }
    if (fstat(file, &found) == 0 && S_ISREG(found.st_mode)) {
        while ((got = read(file, out + size, (size_t)(DJP_SWITCH_FILE_MAX + 1 - size))) > 0) {
            size += got;
        }
    }
    close(file);
    return got == 0 ? size : -1;
}

static void
switch_take_file(djp_sdk *sdk)
{
    djp_switch *state = &sdk->toggle;
    const char *path = sdk->options.switch_file;
    char text[DJP_SWITCH_FILE_MAX + 1];
    djp_switch_said said;
    int line = 0;
    ssize_t size = switch_read(text, path);
    if (state->looked && size == state->size && (size < 0 || memcmp(text, state->text, (size_t)size) == 0)) {
        return;
    }
    state->size = size;
    memcpy(state->text, text, size > 0 ? (size_t)size : 0);
    if (size < 0) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "The switch file %s cannot be read; what held before still holds. Make it a regular file that this "
                  "process may read.",
                  path);
    } else if (size > DJP_SWITCH_FILE_MAX || !djp__switch_parse(&said, &line, text, (size_t)size)) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "Line %d of the switch file %s is not understood; what held before still holds. A line is `on`, "
                  "`off`, `ratio=` or `canary=` with a number from 0 to 1, or a comment after #; 4 KiB at most.",
                  line, path);
    } else {
        djp__mutex_lock(&state->mutex);
        state->file = said;
        switch_finish(sdk, DJP_LOG_INFO);
    }
}

static int
switch_differs(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size || a->st_mode != b->st_mode ||
           a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec ||
           a->st_ctim.tv_sec != b->st_ctim.tv_sec || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* A file that was written a moment ago may be written again without another time of change. */
static int
switch_is_fresh(const struct stat *file)
{
    uint64_t changed = (uint64_t)file->st_mtim.tv_sec * 1000000000u;
    return djp__clock_realtime() < changed + SWITCH__FRESH_NS;
}

static void
switch_look_now(djp_sdk *sdk)
{
    djp_switch *state = &sdk->toggle;
    struct stat now;
    int found = stat(sdk->options.switch_file, &now) == 0;
    if (!found && (errno == ENOENT || errno == ENOTDIR)) {
        djp__mutex_lock(&state->mutex);
        state->file = (djp_switch_said){-1, DJP_RATIO_UNSAID, DJP_RATIO_UNSAID};
        if (state->looked) {
            switch_finish(sdk, DJP_LOG_INFO);
        } else {
            djp__mutex_unlock(&state->mutex);
        }
        state->looked = 0;
    } else if (!found || !state->looked || switch_differs(&now, &state->seen) || switch_is_fresh(&now)) {
        switch_take_file(sdk);
        memset(&state->seen, 0, sizeof state->seen);
        state->seen = found ? now : state->seen;
        state->looked = 1;
    }
}

void
djp__switch_look(djp_sdk *sdk, uint64_t now)
{
    if (now >= sdk->toggle.look_next) {
        sdk->toggle.look_next = now + SWITCH__LOOK_NS;
        switch_look_now(sdk);
    }
}

void
djp__switch_init(djp_sdk *sdk)
{
    djp_switch *state = &sdk->toggle;
    const char *path = sdk->options.switch_file;
    state->program = state->file = (djp_switch_said){-1, DJP_RATIO_UNSAID, DJP_RATIO_UNSAID};
    state->aim = DJP_RATIO_UNSAID;
    state->aim_by = "target";
    state->enabled = 1;
    state->ratio = sdk->options.sample_ratio;
    state->canary = sdk->options.canary_ratio;
    state->enabled_by = state->ratio_by = state->canary_by = "configuration";
    state->look_next = UINT64_MAX;
    if (sdk->recorder) {
        const djp_policy *policy = djp__recorder_policy(sdk->recorder, 0);
        djp_store_relaxed(&state->mute, policy->drop_all);
        state->ratio = policy->composed ? DJP_RATIO_SAMPLER : state->ratio;
    }
    if (sdk->recorder && path && *path && sdk->transport) {
        state->look_next = 0;
        djp__switch_look(sdk, djp__clock_monotonic());
    }
}
