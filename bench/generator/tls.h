/* TLS 1.3 and Ed25519 by OpenSSL; without its headers there is no TLS, and bench/signer.py signs. */
#ifndef TLS_H
#define TLS_H

#include "base.h"

#include <sys/types.h>

struct tls;

extern const bool tls_available;

/* The channel's peer must have the public key that `target` pins. */
struct tls *tls_open(int fd);
int tls_advance(struct tls *tls, bool *wants_write);
ssize_t tls_read(struct tls *tls, uint8_t *bytes, size_t room);
ssize_t tls_write(struct tls *tls, const uint8_t *bytes, size_t length);
void tls_close(struct tls *tls);

/* Sign the transcript of a handshake. False when this build cannot. */
struct transcript {
    const uint8_t *hello, *challenge, *credential;
    size_t hello_length, challenge_length, credential_length;
};
bool sign_transcript(const struct transcript *transcript, const uint8_t key[32],
                     uint8_t signature[64]);

#endif
