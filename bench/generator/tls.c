#include "tls.h"

#include "channel.h"

#ifdef WITH_OPENSSL

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

const bool tls_available = true;

static SSL_CTX *context(void)
{
    static SSL_CTX *made;
    if (made)
        return made;
    made = SSL_CTX_new(TLS_client_method());
    if (!made || !SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION))
        die("OpenSSL has no TLS 1.3");
    /* The pin is checked after the handshake, as every client of the protocol does. */
    SSL_CTX_set_verify(made, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                               | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return made;
}

struct tls *tls_open(int fd)
{
    SSL *ssl = SSL_new(context());
    if (!ssl || !SSL_set_fd(ssl, fd))
        die("OpenSSL gives no connection");
    SSL_set_connect_state(ssl);
    return (struct tls *)ssl;
}

static bool is_pinned(SSL *ssl)
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    uint8_t *spki = NULL, digest[32];
    int length = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki) : 0;
    bool right = false;
    if (length > 0) {
        SHA256(spki, (size_t)length, digest);
        right = !memcmp(digest, target.pin, sizeof digest);
    }
    OPENSSL_free(spki);
    X509_free(certificate);
    return right;
}

int tls_advance(struct tls *tls, bool *wants_write)
{
    SSL *ssl = (SSL *)tls;
    ERR_clear_error();
    int done = SSL_do_handshake(ssl);
    *wants_write = false;
    if (done == 1)
        return is_pinned(ssl) ? 1 : -1;
    int error = SSL_get_error(ssl, done);
    *wants_write = error == SSL_ERROR_WANT_WRITE;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t count_or_error(SSL *ssl, int count)
{
    if (count > 0)
        return count;
    int error = SSL_get_error(ssl, count);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t tls_read(struct tls *tls, uint8_t *bytes, size_t room)
{
    ERR_clear_error();
    return count_or_error((SSL *)tls, SSL_read((SSL *)tls, bytes, (int)room));
}

ssize_t tls_write(struct tls *tls, const uint8_t *bytes, size_t length)
{
    ERR_clear_error();
    return count_or_error((SSL *)tls, SSL_write((SSL *)tls, bytes, (int)length));
}

void tls_close(struct tls *tls)
{
    SSL_shutdown((SSL *)tls);
    SSL_free((SSL *)tls);
}

bool sign_transcript(const struct transcript *transcript, const uint8_t key[32],
                     uint8_t signature[64])
{
    static const uint8_t label[16] = "wxserve auth v1"; /* with its NUL */
    uint8_t text[16 + 32 + 32 + 1 + 32 + 32] = {0};
    memcpy(text, label, sizeof label);
    SHA256(transcript->hello, transcript->hello_length, text + 16);
    SHA256(transcript->challenge, transcript->challenge_length, text + 48);
    text[80] = target.tls; /* the type of the channel binding */
    if (target.tls)
        memcpy(text + 81, target.pin, 32);
    SHA256(transcript->credential, transcript->credential_length, text + 113);
    EVP_PKEY *private = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    size_t length = 64;
    bool done = private && signer && EVP_DigestSignInit(signer, NULL, NULL, NULL, private) == 1
        && EVP_DigestSign(signer, signature, &length, text, sizeof text) == 1;
    EVP_MD_CTX_free(signer);
    EVP_PKEY_free(private);
    if (!done)
        die("OpenSSL cannot sign with Ed25519");
    return true;
}

#else

const bool tls_available = false;

struct tls *tls_open(int fd)
{
    die("built without OpenSSL: no TLS on descriptor %d", fd);
}

int tls_advance(struct tls *tls, bool *wants_write)
{
    *wants_write = false;
    return tls ? -1 : 0;
}

ssize_t tls_read(struct tls *tls, uint8_t *bytes, size_t room)
{
    return tls && bytes && room ? -1 : 0;
}

ssize_t tls_write(struct tls *tls, const uint8_t *bytes, size_t length)
{
    return tls && bytes && length ? -1 : 0;
}

void tls_close(struct tls *tls)
{
    die("there is no TLS channel %p", (void *)tls);
}

bool sign_transcript(const struct transcript *transcript, const uint8_t key[32],
                     uint8_t signature[64])
{
    return transcript && key && signature && false;
}

#endif
