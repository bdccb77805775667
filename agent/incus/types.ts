/** The parts of Incus' JSON that Berth reads. Field names are the engine's. */
export type IncusResponse<T> = {
  type: 'sync' | 'async' | 'error';
  metadata: T;
  operation: string;
  error?: string;
  error_code?: number;
};

export type IncusOperation = {
  id: string;
  status_code: number;
  err: string;
  metadata: Record<string, unknown> | null;
};

export type IncusDevices = Record<string, Record<string, string>>;
export type IncusConfig = Record<string, string>;

export type IncusInstance = {
  name: string;
  project: string;
  status: string;
  type: string;
  created_at: string;
  last_used_at: string;
  config: IncusConfig;
  devices: IncusDevices;
  expanded_config: IncusConfig;
  expanded_devices: IncusDevices;
  profiles: string[];
  ephemeral: boolean;
  stateful: boolean;
  architecture: string;
  description: string;
  state?: IncusInstanceState | null;
  snapshots?: IncusSnapshot[] | null;
};

export type IncusInstanceState = {
  status: string;
  pid: number;
  processes: number;
  started_at: string;
  cpu: { usage: number } | null;
  memory: { usage: number; total: number } | null;
  disk: Record<string, { usage: number; total: number }> | null;
  network: Record<string, { addresses: { family: string; address: string; scope: string }[]; hwaddr: string }> | null;
};

export type IncusSnapshot = { name: string; created_at: string; config: IncusConfig };

export type IncusProject = { name: string; description: string; config: IncusConfig; used_by: string[] | null };
export type IncusNetwork = {
  name: string;
  description: string;
  type: string;
  managed: boolean;
  config: IncusConfig;
  used_by: string[] | null;
};

export type IncusAclRule = {
  action: 'allow' | 'reject' | 'drop';
  state: 'enabled' | 'disabled' | 'logged';
  description?: string;
  source?: string;
  destination?: string;
  protocol?: string;
  source_port?: string;
  destination_port?: string;
  icmp_type?: string;
  icmp_code?: string;
};
export type IncusAcl = {
  name: string;
  description: string;
  config: IncusConfig;
  ingress: IncusAclRule[];
  egress: IncusAclRule[];
  used_by: string[] | null;
};

export type IncusImage = {
  fingerprint: string;
  properties: Record<string, string>;
  aliases: { name: string; description: string }[];
  size: number;
  created_at: string;
  uploaded_at: string;
  type: string;
  public: boolean;
  auto_update: boolean;
};

export type IncusServer = {
  environment: {
    kernel_version: string;
    server_name: string;
    server_version: string;
    storage: string;
    os_name: string;
    os_version: string;
    addresses: string[];
    firewall: string;
  };
  api_extensions: string[];
  config: IncusConfig;
};

export type IncusPool = { name: string; driver: string; config: IncusConfig; status: string };
export type IncusPoolResources = { space: { used: number; total: number }; inodes: { used: number; total: number } };

export type IncusEvent = {
  type: 'lifecycle' | 'operation' | 'logging';
  timestamp: string;
  project: string;
  metadata: {
    action?: string;
    source?: string;
    context?: Record<string, unknown>;
    status?: string;
    resources?: unknown;
  };
};
