/*
 * An OpenSSL provider that refuses MD5 as the FIPS provider does, for machines that have none: all of the default
 * provider's algorithms but MD5, with the property fips=yes. OpenSSL itself then says "unsupported".
 *
 * Node exports OpenSSL's functions; declared here is what openssl/core.h would.
 */
#include <stdlib.h>
#include <string.h>

typedef struct { int function_id; void (*function)(void); } OSSL_DISPATCH;
typedef struct {
  const char *names, *properties;
  const OSSL_DISPATCH *implementation;
  const char *description;
} OSSL_ALGORITHM;

void *OSSL_LIB_CTX_new(void);
void *OSSL_PROVIDER_load(void *context, const char *name);
void *OSSL_PROVIDER_get0_provider_ctx(const void *provider);
const OSSL_ALGORITHM *OSSL_PROVIDER_query_operation(const void *provider, int operation, int *no_cache);

static void *inner;

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache) {
  const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(inner, operation, no_cache);
  int count = 0, kept = 0;
  if (all == NULL) return NULL;
  while (all[count].names != NULL) count++;
  OSSL_ALGORITHM *some = calloc(count + 1, sizeof *some);
  for (int i = 0; i < count; i++) {
    if (strncmp(all[i].names, "MD5", 3) == 0) continue;
    some[kept] = all[i];
    some[kept++].properties = "provider=strict,fips=yes";
  }
  return some;
}

static const OSSL_DISPATCH functions[] = { { 1027 /* OSSL_FUNC_PROVIDER_QUERY_OPERATION */, (void (*)(void)) query }, { 0, NULL } };

int OSSL_provider_init(const void *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **context) {
  inner = OSSL_PROVIDER_load(OSSL_LIB_CTX_new(), "default");
  if (inner == NULL) return 0;
  *context = OSSL_PROVIDER_get0_provider_ctx(inner);
  *out = functions;
  return 1;
}
