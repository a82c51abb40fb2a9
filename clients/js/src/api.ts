// Made by types.mjs of openapi.json. Do not edit.

export interface components {
  schemas: {
    "DeviceBundle": { "digest": string; "format": number; "golden": components["schemas"]["DeviceFile"] | null; "licence": string; "model": components["schemas"]["DeviceModel"]; "name": string; "postprocess": Record<string, unknown> | null; "preprocess": Record<string, unknown> | null; "signature": Record<string, (Record<string, unknown>)[]>; "version": string };
    "DeviceFile": { "sha256": string; "size": number; "url": string };
    "DeviceModel": { "opset": Record<string, number>; "sha256": string; "size": number; "url": string };
    "Evaluation": { "against"?: number | null; "data": string; "since"?: number | null; "split"?: string; "version"?: number | null };
    "NewKey": { "actions"?: (string)[]; "expires"?: string | null; "max_concurrency"?: number | null; "models"?: (string)[]; "name": string };
    "Promotion": { "version": number };
    "Row": { "label": string; "value": string | (unknown)[] | Record<string, unknown> };
    "Rows": { "base"?: number | null; "note"?: string; "rows": (components["schemas"]["Row"])[]; "times"?: number };
  };
}

export interface paths {
  "/api/datasets": {
   get: {
    path: Record<string, unknown>;
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, (Record<string, unknown>)[]> } };
    };
   };
  };
  "/api/datasets/{dataset}/rows": {
   post: {
    path: { "dataset": string };
    query: Record<string, unknown>;
    body: { "application/json": components["schemas"]["Rows"] };
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/jobs": {
   get: {
    path: Record<string, unknown>;
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, (Record<string, unknown>)[]> } };
    };
   };
   post: {
    path: Record<string, unknown>;
    query: Record<string, unknown>;
    body: { "application/json": { "augment"?: Record<string, unknown>; "backend"?: string; "batch_size"?: number | null; "body"?: string; "class_weight"?: Record<string, number> | "" | "balanced"; "data": string; "epochs"?: number | null; "family"?: string; "learning_rate"?: number | null; "level"?: number; "loss"?: string; "name"?: string; "on"?: string; "optimizer"?: string; "params"?: Record<string, unknown>; "patience"?: number; "precision"?: "" | "mixed_bfloat16" | "mixed_float16"; "read"?: { "centre"?: boolean | null; "columns"?: Record<string, "category" | "date" | "ignore" | "number" | "text">; "group"?: string; "order"?: string; "separator"?: string; "target"?: string; "window"?: number }; "schedule"?: "" | "constant" | "cosine" | "exponential" | "linear"; "seed"?: number; "select"?: number | null; "trainer"?: string; "tune"?: Record<string, unknown>; "validation"?: number; "weight_decay"?: number } };
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/jobs/{id}": {
   get: {
    path: { "id": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/jobs/{id}/cancel": {
   post: {
    path: { "id": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/jobs/{id}/events": {
   get: {
    path: { "id": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "text/event-stream": string } };
      "204": { content: never };
    };
   };
  };
  "/api/jobs/{id}/resume": {
   post: {
    path: { "id": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/keys": {
   get: {
    path: Record<string, unknown>;
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, (Record<string, unknown>)[]> } };
    };
   };
   post: {
    path: Record<string, unknown>;
    query: Record<string, unknown>;
    body: { "application/json": components["schemas"]["NewKey"] };
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/keys/{id}": {
   delete: {
    path: { "id": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/models": {
   get: {
    path: Record<string, unknown>;
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, (Record<string, unknown>)[]> } };
    };
   };
  };
  "/api/models/{model}/bundle": {
   get: {
    path: { "model": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": components["schemas"]["DeviceBundle"] } };
    };
   };
  };
  "/api/models/{model}/bundle/{file}": {
   get: {
    path: { "model": string; "file": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/octet-stream": unknown } };
    };
   };
  };
  "/api/models/{name}": {
   get: {
    path: { "name": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/models/{name}/aliases/{alias}": {
   put: {
    path: { "name": string; "alias": string };
    query: Record<string, unknown>;
    body: { "application/json": components["schemas"]["Promotion"] };
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/models/{name}/aliases/{alias}/rollback": {
   post: {
    path: { "name": string; "alias": string };
    query: Record<string, unknown>;
    body: never;
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
  "/api/models/{name}/evaluate": {
   post: {
    path: { "name": string };
    query: Record<string, unknown>;
    body: { "application/json": components["schemas"]["Evaluation"] };
    responses: {
      "200": { content: { "application/json": Record<string, unknown> } };
    };
   };
  };
}
