/* A time zone of the tz database: which offset from UTC it had, has and will have.
 *
 * Read from a compiled tzfile (RFC 8536, `tzdata` of the system) into an immutable object that any
 * thread may ask; the C library's own functions know one zone a process. What the database says of
 * a zone is read when the zone is opened; a newer database counts for zones opened after that.
 * Private to the room. */
#ifndef WALCAST_TRIGGERS_ZONE_H
#define WALCAST_TRIGGERS_ZONE_H

#include "triggers/zone_rule.h"

#define TRIGGERS_ZONE_DIRECTORY   "/usr/share/zoneinfo"
#define TRIGGERS_ZONE_NAME_MAX    64
#define TRIGGERS_ZONE_FILE_MAX    65536 /* bytes; the largest of 2025 has 3.5 KiB */
#define TRIGGERS_ZONE_CHANGES_MAX 4096

typedef struct triggers_zone triggers_zone;

/* `directory`: TRIGGERS_ZONE_DIRECTORY. "UTC" needs no file. INPUT when the name is none or is not
 * in the directory, CONFIG when the directory is not there. Blocks for one small read. */
CORE_MUST_CHECK triggers_zone *triggers_zone_open(const char *directory, core_slice name,
                                                  core_error *error);
/* Of a tzfile's bytes. INPUT error. */
CORE_MUST_CHECK triggers_zone *triggers_zone_read(core_slice file, core_error *error);
void triggers_zone_free(triggers_zone *zone);

/* The span that a time (years 1 to 9999) is in. */
triggers_zone_span triggers_zone_at(const triggers_zone *zone, int64_t utc_s);

#endif
