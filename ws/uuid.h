/* Random UUIDs (RFC 9562, version 4). */
#ifndef WALCAST_WS_UUID_H
#define WALCAST_WS_UUID_H

#include "core/core.h"

#define WS_UUID_SIZE 37 /* 36 characters and NUL */

/* From the system's generator. Where that gives nothing the process ends: ids that repeat are
 * worse.
 */
void ws_uuid_make(char text[WS_UUID_SIZE]);

#endif
