//! The values that the chart is tried with.

use drover_tests::{
    chart,
    manifests::{self, Document},
};

/// Values by name: what people begin with, everything off, everything on, and what companies bring along.
pub const VALUES: &[(&str, &str)] = &[
    ("defaults", ""),
    (
        "smallest",
        "
replicas: 1
crds: { install: false }
serviceAccount: { create: false, name: drover }
rbac: { create: false, userRoles: false }
webhook: { enabled: false }
admissionPolicy: { enabled: false }
networkPolicy: { enabled: false }
podDisruptionBudget: { enabled: false }
",
    ),
    (
        "everything",
        "
image: { repository: registry.example.com/drover, digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', pullPolicy: Always }
imagePullSecrets: [{ name: registry }]
replicas: 3
log: { format: text, level: debug }
otlpEndpoint: http://collector.observability:4318
serviceAccount: { annotations: { example.com/identity: drover } }
rbac: { extraRules: [{ apiGroups: [kubevirt.io], resources: [virtualmachines], verbs: [get, list, watch] }] }
secrets: { readable: [{ namespace: shop, names: [vcenter, dns-key] }, { namespace: bank, names: [vcenter] }] }
scripts: { jobs: true }
dns: { endpoints: true }
webhook: { failurePolicy: Fail, certManager: { enabled: true } }
admissionPolicy: { actions: [Deny, Audit], recordWriters: ['system:serviceaccount:velero:velero'] }
metrics:
  serviceMonitor: { enabled: true, labels: { release: prometheus } }
  prometheusRule: { enabled: true, alertLabels: { team: continuity }, disabled: [DroverDrillOverdue] }
  dashboard: { enabled: true, annotations: { grafana_folder: Drover } }
networkPolicy:
  metricsFrom: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } } }]
  egress: [{ to: [{ ipBlock: { cidr: 10.0.0.0/8 } }], ports: [{ port: 443, protocol: TCP }] }]
podDisruptionBudget: { maxUnavailable: 50% }
priorityClassName: system-cluster-critical
nodeSelector: { kubernetes.io/os: linux }
tolerations: [{ key: dedicated, operator: Exists }]
affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: site, operator: In, values: [third] }] }] } } }
topologySpreadConstraints: [{ maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app.kubernetes.io/name: drover } } }]
podLabels: { cost-centre: '42' }
podAnnotations: { example.com/scan: 'true' }
commonLabels: { team: continuity }
extraArgs: ['--log-level=trace']
extraEnv: [{ name: HTTPS_PROXY, value: http://proxy.example.com:3128 }]
extraEnvFrom: [{ configMapRef: { name: proxy } }]
extraVolumes: [{ name: trust, configMap: { name: trust } }]
extraVolumeMounts: [{ name: trust, mountPath: /etc/ssl/certs, readOnly: true }]
",
    ),
    (
        "of a company",
        "
fullnameOverride: continuity
crds: { install: true }
serviceAccount: { name: continuity-operator }
rbac: { aggregate: false }
secrets: { ownNamespace: false }
webhook: { certManager: { enabled: true, issuerRef: { group: cert-manager.io, kind: ClusterIssuer, name: company } } }
metrics: { serviceMonitor: { enabled: true, interval: 1m }, prometheusRule: { enabled: true } }
",
    ),
];

/// What the chart prints for each, without the definitions.
pub fn rendered() -> Vec<(&'static str, Vec<Document>)> {
    let rendered = VALUES.iter().map(|(name, values)| {
        let mut documents = chart::render(values).unwrap();
        documents.retain(|document| document.kind() != "CustomResourceDefinition");
        (*name, documents)
    });
    rendered.collect()
}

/// What the chart prints for the values of this name.
pub fn of(name: &str) -> Vec<Document> {
    let found = rendered().into_iter().find(|(found, _)| *found == name);
    found.unwrap().1
}

/// Definitions that stand in for those of cert-manager and of the Prometheus operator: the fields that the
/// chart writes, and no other.
pub fn foreign() -> String {
    let path = manifests::repository().join("tests/fixtures/chart/foreign.yaml");
    manifests::read(&path).unwrap()
}
