/* A JSON Web Token in compact form (RFC 7515, RFC 7519), HS256 only.
 *
 * Private to auth; the two directions stand in jwt_verify.c and jwt_sign.c. */
#ifndef WALCAST_AUTH_JWT_H
#define WALCAST_AUTH_JWT_H

#include "auth/auth.h"

/* Checks form, algorithm and signature, and appends the decoded payload to `payload` when all is
 * well. AUTH_OK, AUTH_MISSING, AUTH_MALFORMED or AUTH_SIGNATURE. Whether the payload is JSON is not
 * looked at. */
CORE_MUST_CHECK auth_verdict auth_jwt_verify(core_slice token, core_slice secret,
                                             core_buffer *payload);
/* Appends header, payload and signature. False when memory is out or the buffer's maximum is
 * reached. */
CORE_MUST_CHECK bool auth_jwt_sign(core_slice payload, core_slice secret, core_buffer *out);

#endif
