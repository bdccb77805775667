/** Endpoints of metrics. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { currentMetrics, hostMetrics, instanceMetrics, scrapeAll, scrapeProject } from '#server/app/metrics.ts';
import { asksForOpenMetrics, OPENMETRICS_TYPE, PROMETHEUS_TYPE, prometheusText } from './prometheus.ts';
import type { Http, StreamTools } from './server.ts';

// Every figure is picked by name in server/app/metrics.ts, and hundreds of them are not checked again.
const presented = { answerIsPresented: true };

export function registerMetrics(http: Http, app: AppContext): void {
  http.register(
    api.instanceMetrics,
    async ({ caller, params, query }) => instanceMetrics(app, caller, params.instance, query.range),
    presented,
  );
  http.register(
    api.hostMetrics,
    async ({ caller, params, query }) => hostMetrics(app, caller, params.host, query.range),
    presented,
  );
  http.register(
    api.projectMetrics,
    async ({ caller, params }) => ({ items: await currentMetrics(app, caller, params.project) }),
    presented,
  );
  http.registerStream(api.prometheus, async ({ caller }, tools) => sendText(tools, await scrapeAll(app, caller)));
  http.registerStream(api.projectPrometheus, async ({ caller, params }, tools) =>
    sendText(tools, await scrapeProject(app, caller, params.project)),
  );
}

function sendText({ fastifyRequest, reply }: StreamTools, scrape: Parameters<typeof prometheusText>[0]): void {
  const open = asksForOpenMetrics(fastifyRequest.headers.accept);
  reply
    .type(open ? OPENMETRICS_TYPE : PROMETHEUS_TYPE)
    .header('cache-control', 'no-store')
    .send(prometheusText(scrape, open));
}
