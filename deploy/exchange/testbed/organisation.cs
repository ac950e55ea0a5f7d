// What the cmdlets of exchange.ps1 return. Where the type of a value decides what
// remoting makes of it, it is of the kind that Exchange uses: enumerations, lists,
// identities and sizes of types of their own, URLs, dates of a kind. This assembly
// also stands for ExSetup.exe, whose file version is Exchange's build.
using System;
using System.Collections.ObjectModel;
using System.IO;
using System.Threading;

[assembly: System.Reflection.AssemblyFileVersion("15.02.2562.053")]

public enum AuthServerType { Unknown, MicrosoftACS, Facebook, LinkedIn, AzureAD, ADFS }
public enum CopyStatus { Unknown, Initializing, Mounted, Healthy, ServiceDown }
public enum AccessLevel { Allow, Block, Quarantine }
public enum AccessState { Unknown, Allowed, Blocked, Quarantined }
public enum AccessCharacteristic { DeviceType, DeviceModel, DeviceOS, UserAgent }
public enum AuthenticationMethod {
    Basic, Digest, Ntlm, Fba, WindowsIntegrated, LiveIdFba, LiveIdBasic, WSSecurity, Certificate, NegoEx, OAuth
}
public enum TokenChecking { None, Allow, Require }
public enum Capability {
    OrganizationCapabilityManagement, OrganizationCapabilityUMGrammar,
    OrganizationCapabilityMailRouting, OrganizationCapabilityMigration
}
public enum HybridFeature { FreeBusy, MoveMailbox, Mailtips, SecureMail }
public enum EndpointType { None, ExchangeRemoteMove, IMAP }

// Client ends this process when its client's is gone, whatever a cmdlet waits for.
public static class Client {
    static Timer timer;
    public static void Follow(string pid) {
        timer = new Timer(_ => { if (!Directory.Exists("/proc/" + pid)) { Environment.Exit(1); } }, null, 500, 500);
    }
}

public class MultiValued<T> : Collection<T> {
    public MultiValued(params T[] values) { foreach (T v in values) { Add(v); } }
}
public class Named {
    readonly string name;
    public Named(string name) { this.name = name; }
    public override string ToString() { return name; }
}
public struct Size {
    readonly ulong bytes;
    public Size(ulong bytes) { this.bytes = bytes; }
    public override string ToString() { return string.Format("{0:0.##} MB ({1:N0} bytes)", bytes / 1048576.0, bytes); }
}

public class AuthServer {
    public string Name { get; set; }
    public AuthServerType Type { get; set; }
    public bool Enabled { get; set; }
    public bool IsDefaultAuthorizationEndpoint { get; set; }
    public string IssuerIdentifier { get; set; }
    public string Realm { get; set; }
    public string AuthorizationEndpoint { get; set; }
    public string TokenIssuingEndpoint { get; set; }
    public string AuthMetadataUrl { get; set; }
    public string ApplicationIdentifier { get; set; }
    public MultiValued<string> DomainName { get; set; }
    public MultiValued<string> CertificateStrings { get; set; }
    public DateTime? WhenChanged { get; set; }
}
public class Mailbox {
    public string Name { get; set; }
    public Named Database { get; set; }
    public MultiValued<Capability> PersistedCapabilities { get; set; }
}
public class DatabaseCopy {
    public string Name { get; set; }
    public string DatabaseName { get; set; }
    public string MailboxServer { get; set; }
    public CopyStatus Status { get; set; }
}
public class OrganizationConfig {
    public string Name { get; set; }
    public Guid Guid { get; set; }
    public bool? OAuth2ClientProfileEnabled { get; set; }
    public bool EnableAuthAdminReadSession { get; set; }
}
public class ActiveSyncSettings { public AccessLevel DefaultAccessLevel { get; set; } }
public class AccessRule {
    public string Name { get; set; }
    public AccessCharacteristic Characteristic { get; set; }
    public string QueryString { get; set; }
    public AccessLevel AccessLevel { get; set; }
}
public class VirtualDirectory {
    public Named Server { get; set; }
    public string Name { get; set; }
    public Uri InternalUrl { get; set; }
    public Uri ExternalUrl { get; set; }
    public MultiValued<AuthenticationMethod> InternalAuthenticationMethods { get; set; }
    public MultiValued<AuthenticationMethod> ExternalAuthenticationMethods { get; set; }
    public MultiValued<AuthenticationMethod> IISAuthenticationMethods { get; set; }
    public TokenChecking ExtendedProtectionTokenChecking { get; set; }
}
public class ExchangeServer {
    public string Name { get; set; }
    public string Fqdn { get; set; }
    public Named AdminDisplayVersion { get; set; }
    public string Edition { get; set; }
    public Named ServerRole { get; set; }
    public Named Site { get; set; }
    public Uri InternetWebProxy { get; set; }
}
public class TransportConfig {
    public Size? MaxSendSize { get; set; }
    public Size MaxReceiveSize { get; set; }
}
public class AuthConfig {
    public string CurrentCertificateThumbprint { get; set; }
    public string NextCertificateThumbprint { get; set; }
    public string PreviousCertificateThumbprint { get; set; }
    public DateTime? NextCertificateEffectiveDate { get; set; }
    public string ServiceName { get; set; }
    public string Realm { get; set; }
}
public class ExchangeCertificate {
    public string Thumbprint { get; set; }
    public string Subject { get; set; }
    public DateTime NotBefore { get; set; }
    public DateTime NotAfter { get; set; }
    public Named Services { get; set; }
    public bool HasPrivateKey { get; set; }
}
public class HybridConfiguration {
    public int ServiceInstance { get; set; }
    public MultiValued<HybridFeature> Features { get; set; }
    public MultiValued<Named> Domains { get; set; }
}
public class IntraOrganizationConnector {
    public string Name { get; set; }
    public bool Enabled { get; set; }
    public MultiValued<Named> TargetAddressDomains { get; set; }
    public Uri DiscoveryEndpoint { get; set; }
    public Uri TargetSharingEpr { get; set; }
}
public class OrganizationRelationship {
    public string Name { get; set; }
    public bool Enabled { get; set; }
    public MultiValued<Named> DomainNames { get; set; }
    public Uri TargetSharingEpr { get; set; }
    public Uri TargetAutodiscoverEpr { get; set; }
}
public class MigrationEndpoint {
    public Named Identity { get; set; }
    public EndpointType EndpointType { get; set; }
    public Named RemoteServer { get; set; }
}
public class SettingOverride {
    public string Name { get; set; }
    public string ComponentName { get; set; }
    public string SectionName { get; set; }
    public MultiValued<string> Parameters { get; set; }
    public MultiValued<string> Server { get; set; }
}
public class DeviceStatistics {
    public string DeviceType { get; set; }
    public string DeviceID { get; set; }
    public AccessState DeviceAccessState { get; set; }
    public DateTime? FirstSyncTime { get; set; }
    public DateTime? LastSyncAttemptTime { get; set; }
    public DateTime? LastSuccessSync { get; set; }
}
