/* An audit record's text: one JSON object, of the form that docs/AUDIT.md describes. Pure. */
#ifndef WALCAST_AUTH_AUDIT_RECORD_H
#define WALCAST_AUTH_AUDIT_RECORD_H

#include "auth/auth.h"

#define AUTH_AUDIT_RECORD_MAX 880 /* with the longest subject it fits into a journal's record */
#define AUTH_AUDIT_NODE_MAX   64

/* What the process adds to each. */
typedef struct {
    const char *node; /* this machine's name */
    const char *by;   /* who acts where no credential does: "process", "cli" */
    const char *project;
    const char *environment;
    int64_t wall_us;
} auth_audit_frame;

/* Into `out`, at most AUTH_AUDIT_RECORD_MAX bytes. Texts over 128 bytes are cut; a record that is
 * too long even so loses what clients chose, and says `"cut":true`. */
void auth_audit_record_request(core_buffer *out, const auth_audit_frame *frame,
                               const auth_request *request);
void auth_audit_record_act(core_buffer *out, const auth_audit_frame *frame, const auth_act *act);

#endif
