export interface BannerInput {
  /** Where clients reach the router, without a trailing slash. */
  readonly baseUrl: string;
  readonly key: string;
  readonly limitedKey: string;
}

/** The first lines that someone who tries the router reads. Every command in it can be pasted. */
export function demoBanner({ baseUrl, key, limitedKey }: BannerInput): string {
  return `
  gpu-request-router: demo mode. The four GPUs are simulated; the routing is real.

  API    ${baseUrl}
  Docs   ${baseUrl}/docs
  Key    ${key}   (admin)
         ${limitedKey}   (an ordinary user with the default limits)

  Try it:

  curl -iN ${baseUrl}/v1/chat/completions \\
    -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
    -d '{"model": "demo-small", "messages": [{"role": "user", "content": "Hello"}]}'

  The headers x-worker-id and x-gpu-id say who answered. To stream, add
  "stream": true after the model. Models: demo-small, demo-large, demo-embed.

  Your own workers: copy config.example.yaml to config.yaml, see "Real workers" in README.md.
`;
}
