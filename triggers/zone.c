/* Opens zones and looks into them; see zone.h. */
#include "triggers/zone_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Opening ---- */

static bool name_byte_fits(uint8_t byte) {
    return ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '/' || byte == '_' || byte == '-' || byte == '+';
}

/* No dot, so no way out of the directory. */
static bool name_fits(core_slice name) {
    bool fits = name.length > 0 && name.length <= TRIGGERS_ZONE_NAME_MAX && name.data[0] != '/';
    for (size_t i = 0; fits && i < name.length; i++)
        fits = name_byte_fits(name.data[i]);
    return fits;
}

static bool file_take(int file, const char *path, core_buffer *bytes, core_error *error) {
    struct stat facts;
    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode) ||
        facts.st_size > TRIGGERS_ZONE_FILE_MAX)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "%s is no time zone: not a file, or larger than %d bytes", path,
                              TRIGGERS_ZONE_FILE_MAX);
    size_t size = (size_t)facts.st_size;
    uint8_t *room = core_buffer_reserve(bytes, size + 1);
    ssize_t got = room != NULL ? pread(file, room, size, 0) : -1;
    if (got != (ssize_t)size)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "%s cannot be read: %s", path,
                              strerror(errno));
    core_buffer_commit(bytes, size);
    return true;
}

static bool path_open(const char *directory, core_slice name, core_buffer *bytes,
                      core_error *error) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%.*s", directory, CORE_SLICE_ARGS(name));
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        bool ok = file_take(file, path, bytes, error);
        (void)close(file);
        return ok;
    }
    if (access(directory, R_OK) != 0)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "no time zones at %s: install the package tzdata", directory);
    return core_error_set(
        error, CORE_ERROR_INPUT,
        "time zone \"%.*s\" is not in the tz database at %s; expected a name such "
        "as Europe/Berlin or UTC",
        CORE_SLICE_ARGS(name), directory);
}

static triggers_zone *zone_utc(core_error *error) {
    triggers_zone *zone = calloc(1, sizeof *zone);
    if (zone == NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a time zone");
    return zone;
}

triggers_zone *triggers_zone_open(const char *directory, core_slice name, core_error *error) {
    core_buffer bytes;
    if (core_slice_is(name, "UTC"))
        return zone_utc(error);
    if (!name_fits(name)) {
        (void)core_error_set(
            error, CORE_ERROR_INPUT,
            "a time zone is a name of the tz database such as Europe/Berlin or UTC, "
            "at most %d letters, digits and / _ - +",
            TRIGGERS_ZONE_NAME_MAX);
        return NULL;
    }
    core_buffer_init(&bytes, TRIGGERS_ZONE_FILE_MAX + 1);
    triggers_zone *zone = path_open(directory, name, &bytes, error)
                              ? triggers_zone_read(core_buffer_slice(&bytes), error)
                              : NULL;
    core_buffer_fini(&bytes);
    return zone;
}

void triggers_zone_free(triggers_zone *zone) {
    free(zone);
}

/* ---- Looking ---- */

/* How many changes are at or before the time. */
static size_t changes_before(const triggers_zone *zone, int64_t utc_s) {
    size_t low = 0, high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].utc_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

triggers_zone_span triggers_zone_at(const triggers_zone *zone, int64_t utc_s) {
    size_t before = changes_before(zone, utc_s);
    int64_t start_s = before > 0 ? zone->changes[before - 1].utc_s : INT64_MIN;
    if (before < zone->count || !zone->has_rule)
        return (triggers_zone_span){
            .start_s = start_s,
            .end_s = before < zone->count ? zone->changes[before].utc_s : INT64_MAX,
            .offset_s = before > 0 ? zone->changes[before - 1].offset_s : zone->first_offset_s,
        };
    triggers_zone_span span = triggers_zone_rule_span(&zone->rule, utc_s);
    if (span.start_s < start_s)
        span.start_s = start_s;
    return span;
}
