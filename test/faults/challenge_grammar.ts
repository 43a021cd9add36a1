/** `WWW-Authenticate` by the letter of RFC 9110 section 11.6.1, and nothing beyond; shares nothing with lib/. */
import type { Challenge } from "../../lib/digest/mod.ts";

/**
 * The challenges of a value that is as the grammar has it, else undefined.
 *
 * ```abnf
 * WWW-Authenticate = #challenge
 * challenge        = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
 * auth-param       = token BWS "=" BWS ( token / quoted-string )
 * ```
 */
export function readChallenges(value: string): Challenge[] | undefined {
  const challenges: Challenge[] = [];
  let rest = value;

  const take = (rule: RegExp): string | undefined => {
    const [text] = new RegExp(`^(?:${rule.source})`).exec(rest) ?? [];
    if (text !== undefined) rest = rest.slice(text.length);
    return text;
  };
  const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/;
  const QUOTED_STRING = /"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"/;
  const OWS = /[ \t]*/;

  function parameter(): [string, string] | undefined {
    const before = rest;
    const name = take(TOKEN);
    if (name !== undefined && take(/[ \t]*=[ \t]*/) !== undefined) {
      const text = take(TOKEN) ?? take(QUOTED_STRING);
      if (text !== undefined) return [name.toLowerCase(), text.replace(/^"|"$/g, "").replace(/\\(.)/gs, "$1")];
    }
    rest = before;
    return undefined;
  }

  function elementEnds(): boolean {
    return /^[ \t]*(?:,|$)/.test(rest);
  }

  take(/[ \t,]*/);
  while (rest !== "") {
    const scheme = take(TOKEN)?.toLowerCase();
    if (scheme === undefined) return undefined;
    const challenge: { scheme: string; params: Record<string, string>; token68?: string } = { scheme, params: {} };
    challenges.push(challenge);
    if (!elementEnds()) {
      if (take(/ +/) === undefined) return undefined;
      const before = rest;
      const token68 = take(/[A-Za-z0-9\-._~+/]+=*/);
      if (token68 !== undefined && elementEnds()) challenge.token68 = token68;
      else rest = before;
    }
    // Its parameters, each an element of the one list that all challenges share.
    for (let isFirst = challenge.token68 === undefined;; isFirst = false) {
      const before = rest;
      if (!isFirst && take(/[ \t]*,[ \t,]*/) === undefined) break;
      const found = challenge.token68 === undefined ? parameter() : undefined;
      if (found === undefined) {
        rest = before;
        break;
      }
      const [name, text] = found;
      if (!Object.hasOwn(challenge.params, name)) challenge.params[name] = text;
      if (!elementEnds()) return undefined;
    }
    if (!elementEnds()) return undefined;
    take(/[ \t,]*/);
  }
  take(OWS);
  return challenges;
}
